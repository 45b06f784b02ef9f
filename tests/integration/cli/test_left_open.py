"""What MAY rows leave open is observed in worker processes, on request, and counts for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.sampling import exhaustive

from conformance.engine.budget import budget
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.frontends.cli import main
from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS, Level, select
from conformance.requirements.verdict import Outcome

NAN_FLAG = "NaN and .3: evaluates"
"""What the reference does with such a flag."""

DIES = """
import os
from impl.batchnorm import MyBatchNorm


class Dies(MyBatchNorm):
    def __call__(self, x, use_running_average):
        if x.ndim == 1 or not len(x):
            os.abort()
        return super().__call__(x, use_running_average)
"""

HANGS = """
import time
from impl.batchnorm import MyBatchNorm


class Hangs(MyBatchNorm):
    def __call__(self, x, use_running_average):
        if not len(x):
            time.sleep(600)
        return super().__call__(x, use_running_average)
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", "-j", "1", *arguments])


def test_what_ends_the_process_is_an_answer_and_counts_for_nothing(tmp_path, monkeypatch):
    """A layer that dies in several observations answers the others, and is judged all the same."""
    (tmp_path / "dies.py").write_text(DIES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    asked = "BN-SHAPE-4,BN-SHAPE-5,BN-FLAG-6,EVAL-4"
    done = run("dies.py:Dies", "-k", asked, "--max-examples", "3", "--report", "report.json")
    assert done.exit_code == 0, done.output
    assert "dies.py:Dies: conforms to 1 of 1 requirements." in done.output
    report = Report.read(Path("report.json"))
    found = {each.requirement: each for each in report.verdicts}
    for row in ("BN-SHAPE-4", "BN-SHAPE-5"):
        assert found[row].outcome is Outcome.OBSERVED
        assert "use_running_average=False ends it: the process was ended by SIGABRT" in (
            found[row].detail
        )
    assert found["BN-FLAG-6"].detail == NAN_FLAG


@exhaustive
def test_what_does_not_return_is_an_answer(tmp_path, monkeypatch):
    """A call that hangs is ended after the limit."""
    (tmp_path / "hangs.py").write_text(HANGS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    supervisor = Supervisor(budget(), Limits(seconds=2))
    found = supervisor.judge("BN-SHAPE-4", "hangs.py:Hangs")
    supervisor.close()
    assert (found.outcome, found.outcome.bad) == (Outcome.OBSERVED, False)
    assert "no result within 2 s" in found.detail


def test_what_cannot_be_resolved_is_an_error():
    """A name that stands for nothing ends with a sentence."""
    done = run("nowhere:layer", "--level", "may")
    assert (done.exit_code, "Error:" in done.output) == (2, True)


def test_several_implementations_are_shown_side_by_side(tmp_path):
    """Each row comes once, with its statement and who gives which answer; 80 columns are enough."""
    target = tmp_path / "report.json"
    fair = "fair:nan-flag-evaluates"
    done = run("impl", fair, "--level", "may", "-k", "FLAG", "--report", str(target))
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80
    for text in (
        "· impl: 3 observations.",
        f"· {fair}: 1 observation.",
        f"    impl: {NAN_FLAG}",
        "    impl: trains",
        f"    {fair}: evaluates",
        f"    {fair}: not observed: needs layer, which the\n",
        "4 observations, ",
    ):
        assert text in done.output
    assert "Nothing was judged" not in done.output
    rows = select(REQUIREMENTS, ["FLAG"], Level.MAY)
    assert Report.read(target).header.requirements == [row.id for row in rows]


def test_the_removed_command_names_its_replacement():
    """``behaviours`` is a usage error that says what to use."""
    done = CliRunner().invoke(main, ["behaviours", "impl"])
    assert done.exit_code == 2
    assert (
        "the command 'behaviours' was removed: use `conformance run IMPL --level may`"
        in done.output
    )
    assert "behaviours" not in CliRunner().invoke(main, ["--help"]).output


def test_rows_that_are_left_open_are_listed_and_explained():
    """The list shows them beside what is required, and ``explain`` how they are observed."""
    listed = CliRunner().invoke(main, ["list", "-k", "EPS"]).output
    assert "BN-EPS-2     MAY" in listed
    assert "1 requirements, 1 left open (MAY)." in listed
    explained = CliRunner().invoke(main, ["explain", "BN-EPS-2"]).output
    assert "left open: " in explained
    assert "How it is observed" in explained
    assert '@requirement("BN-EPS-2")' in explained
    assert "Classical mistakes" not in explained


@pytest.mark.parametrize("pattern", ["BN-EPS-[2-9]", "*-FLAG-[678]"])
def test_a_pattern_that_leaves_only_them_says_what_to_add(pattern: str):
    """Only their ids choose them without the level."""
    done = run("impl", "-k", pattern)
    assert done.exit_code == 2
    assert "add --level may" in done.output
