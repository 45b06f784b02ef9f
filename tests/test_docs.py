"""Generated pages are up to date, and the code that the documentation shows works."""

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

ROOT = Path(__file__).parent.parent
ADAPTERS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs/writing-an-adapter.md").read_text("utf-8"), re.DOTALL
)


def test_generated_pages_are_up_to_date():
    """docs/generate.py would write what is committed."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("code", ADAPTERS, ids=["renamed", "numpy", "deviating", "wide"])
def test_adapters_in_the_guide_conform(code, tmp_path):
    """Each adapter that the guide shows is complete and its layer conforms."""
    file = tmp_path / "adapter.py"
    file.write_text(code, encoding="utf-8")
    shown = runpy.run_path(str(file)).values()
    (implementation,) = [value for value in shown if isinstance(value, Implementation)]
    few = budget(max_examples=20)

    for row in select(REQUIREMENTS, ["TRAIN-1,EMA,EVAL,NUM-1,IND"]):
        verdict = judge_requirement(row, Subject(implementation), few)
        assert verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}, verdict


def test_every_page_that_is_linked_exists():
    """Relative links in the README and the docs lead to files."""
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
