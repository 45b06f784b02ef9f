"""Generated pages and figures are up to date, links lead somewhere, and the code shown works."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, select
from conformance.requirements.verdict import Outcome

ROOT = Path(__file__).parents[3]
ADAPTERS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs/writing-an-adapter.md").read_text("utf-8"), re.DOTALL
)


PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]


def test_generated_pages_and_figures_are_up_to_date():
    """tools/docs/generate.py would write the committed files."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "code", ADAPTERS, ids=["renamed", "linen", "function", "plain", "numpy", "deviating", "wide"]
)
def test_adapters_in_the_guide_conform(code, tmp_path):
    """Each adapter that the guide shows is complete and its layer conforms."""
    file = tmp_path / "adapter.py"
    file.write_text(code, encoding="utf-8")
    shown = runpy.run_path(str(file)).values()
    (implementation,) = [value for value in shown if isinstance(value, Implementation)]
    few = budget(max_examples=5)

    for row in select(REQUIREMENTS, ["TRAIN-1,EMA,EVAL,NUM-1,IND"]):
        verdict = judge_requirement(row, Subject(implementation), few)
        assert verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}, verdict


def test_code_in_the_contributing_guide_is_in_the_repository():
    """Each block of Python that the guide shows is part of a module, docstrings aside."""
    guide = (ROOT / "docs/contributing.md").read_text("utf-8")
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", guide, re.DOTALL | re.MULTILINE)
    modules = [*(ROOT / "conformance").rglob("*.py"), *(ROOT / "impl").rglob("*.py")]
    sources = [statements(module.read_text("utf-8")) for module in modules]

    assert blocks
    for block in blocks:
        assert any(statements(block) in source for source in sources), block


def statements(code: str) -> str:
    """Return the code without docstrings, indentation and empty lines."""
    lines = re.sub(r'"{3}.*?"{3}', "", code, flags=re.DOTALL).splitlines()
    return "\n".join(stripped for line in lines if (stripped := line.strip()))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_link_leads_to_a_file_and_a_heading():
    """Relative links in the README and the docs lead to files, and to headings in them."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text("utf-8")):
            name, _, anchor = target.partition("#")
            file = page.parent / name if name else page
            assert file.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(file), f"{page.name} links to {target}"


def test_the_readme_is_short():
    """It ends within 200 lines; details are on other pages."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 200
