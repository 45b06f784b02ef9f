"""Implementations that cannot be imported, entry points that are bad, and names made to harm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.hostile_runs import GOOD, conformance, run_and_check, verdicts_on
from support.sampling import exhaustive

from conformance.engine.budget import budget
from conformance.frontends.pytest_plugin.collector import VerdictCollector
from conformance.frontends.run_config import RunConfig
from conformance.frontends.run_session import decide_exit_code
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome, Verdict

IMPORTS = {
    "import_raises": "RuntimeError: the wheel was built for another planet (import_raises.py, line",
    "import_leaves": "SystemExit: 3",
    "import_dies": "importing it: the process ended with exit code 7",
    "import_hangs": "importing it: no result within 4 s",
}


@exhaustive
def test_what_cannot_be_imported_is_an_error_of_its_own(alone, tmp_path):
    """The others are judged all the same; the exit code says that something is not usable."""
    names = {f"support.hostile.{name}:layer": cause for name, cause in IMPORTS.items()}
    code, report, _ = run_and_check([*names, GOOD], tmp_path, "-k", "EVAL-1")

    assert code == 2
    assert verdicts_on(report, GOOD) == alone
    for name, cause in names.items():
        (verdict,) = verdicts_on(report, name)
        assert verdict["outcome"] == "errored"
        assert cause in verdict["detail"]


def test_an_error_counts_at_any_level():
    """A run in which a SHOULD could not be judged does not end with 0."""
    rows = (REQUIREMENTS["BN-STATE-8"], REQUIREMENTS["BN-EVAL-1"])
    run = RunConfig(implementations=("x",), requirements=rows, budget=budget())
    collector = VerdictCollector(run)
    for row, outcome in zip(rows, (Outcome.ERRORED, Outcome.CONFORMS), strict=True):
        level = row.level.value
        verdict = Verdict(
            requirement=row.id, implementation="x", kind="", outcome=outcome, level=level
        )
        collector.add(verdict)
    assert [row.level.value for row in rows] == ["should", "must"]
    assert decide_exit_code(collector) == 2


def test_nothing_to_judge_is_one_message(tmp_path):
    """If nothing named can be imported, that is all there is to say, and nothing is written."""
    names = ("support.hostile.import_raises:layer", "support.hostile.import_leaves:layer")
    options = ("-k", "EVAL-1", "-j1", "--report", "report.json")
    done = conformance("run", *names, *options, cwd=tmp_path)

    assert done.returncode == 2
    output = done.stdout + done.stderr
    assert output.count("another planet") == output.count("SystemExit: 3") == 1, output
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def installed(tmp_path) -> Path:
    """A directory with a distribution whose entry points are bad in every way."""
    (tmp_path / "evil.py").write_text("print('LOADED')\nraise OSError('evil')\n", "utf-8")
    metadata = tmp_path / "evil-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[conformance.implementations]\n"
        "raising = evil:layer\nmissing = nowhere.to.be.found:layer\n"
        "attribute = support.numpy_norm:Nope\nimpl = evil:layer\n"
        "[bold]x = support.hostile.good:layer\n"
        "[conformance.galleries]\nnames = support.hostile.lying:NAMES\n"
    )
    return tmp_path


@exhaustive
def test_bad_entry_points(installed, tmp_path):
    """Listing loads none; each fails with its own message; a name for two things is refused."""
    listed = conformance("implementations", cwd=tmp_path, path=installed)
    assert listed.returncode == 0
    assert "evil:layer" in listed.stdout
    assert "LOADED" not in listed.stdout + listed.stderr
    bad = {
        "raising": "entry point 'raising' (evil:layer) cannot be imported: OSError: evil",
        "missing": "No module named 'nowhere'",
        "attribute": "has no attribute 'Nope'",
        "impl": "'impl' is registered by more than one package",
    }
    done = conformance("run", *bad, "-k", "EVAL-1", "-j1", cwd=tmp_path, path=installed)
    assert done.returncode == 2, done.stdout
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    for message in bad.values():
        assert output.count(message) == 1, output


def test_names_are_shown_as_text(installed, tmp_path, monkeypatch):
    """Markup and control characters in a name do not reach the terminal, JSON or JUnit as such."""
    monkeypatch.setenv("PYTHONPATH", str(installed), prepend=os.pathsep)
    name = "names:[bold red]x[/] \x1b[2J\u202e<script>&"
    code, report, output = run_and_check([name], tmp_path, "-k", "EVAL-1")

    assert code == 0, output
    assert [v["implementation"] for v in report["verdicts"]] == [name]
    assert r"names:[bold red]x[/] \x1b[2J\u202e<script>&: conforms to 1 of 1" in output
    assert not {"\x1b", "\u202e"} & set(output + (tmp_path / "report.json").read_text())
    assert "\x1b" not in (tmp_path / "junit.xml").read_text()
