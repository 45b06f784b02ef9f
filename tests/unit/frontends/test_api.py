"""``conformance.judge``: objects in this process, names in others, and what a report shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.numpy_norm import NumpyNorm, SwappedMomentum, implementation

from conformance import AdapterError, Deviation, Report, judge
from conformance.frontends.options import OptionError
from impl.faulty import FAULTS
from impl.stepwise import StepwiseBatchNorm


class EpsOutside(StepwiseBatchNorm):
    """A class that no other process can import by the name of its module."""

    def inverse_std(self, var: Any) -> Any:
        return 1 / (var**0.5 + self.eps)


def test_a_class_is_judged_in_this_process():
    """The answer has the cause, the line of the mistake in this file, and the violations."""
    report = judge(EpsOutside, requirements="EPS", progress=False)

    assert isinstance(report, Report)
    assert not report.conforms
    assert [verdict.requirement for verdict in report.violations] == ["BN-EPS-1"]
    (cause,) = report.causes
    assert cause.sentence == "ε is added outside the root"
    assert cause.line is not None
    assert cause.line["text"] == "var**0.5 + self.eps"
    assert cause.line["file"].endswith("test_api.py")
    assert report.to_dict()["footer"]["exit_code"] == 1


def test_a_report_shows_itself():
    """As text it is what the command prints; as HTML it is escaped."""
    report = judge(EpsOutside, requirements="EPS", progress=False)

    assert repr(report).startswith("✗ EpsOutside: fails 1 of ")
    assert "ε is added outside the root." in repr(report)
    assert "conformance run" not in repr(report)  # there is no command for what has no name
    assert "&lt;" not in repr(report)
    assert "<summary>Each violation: 1</summary>" in report._repr_html_()
    (cause,), (violation,) = report.causes, report.violations
    assert repr(cause).startswith("<Cause: ε is added outside the root at ")
    assert repr(violation).startswith("<Verdict: BN-EPS-1[EpsOutside] violates (must, eps1-")


def make_layer(d: int, momentum: float, eps: float, rngs: Any) -> StepwiseBatchNorm:
    """Return a layer."""
    return StepwiseBatchNorm(d, momentum, eps, rngs)


@pytest.mark.parametrize(
    ("judged", "name"),
    [
        (StepwiseBatchNorm, "StepwiseBatchNorm"),
        (make_layer, "make_layer"),
        (implementation(NumpyNorm), implementation(NumpyNorm).name),
    ],
    ids=["class", "factory", "object"],
)
def test_what_can_be_judged(judged: Any, name: str):
    """A class, a function that makes layers, and an adapter."""
    report = judge(judged, requirements=["EMA-1"], progress=False)

    assert report.conforms, report
    assert report.header.implementations == [name]
    assert not report.violations
    assert not report.causes


def test_a_deviation_can_be_declared():
    """It is added to what the implementation declares."""
    swapped = implementation(SwappedMomentum)
    given: dict[str, Any] = {"requirements": "BN-EMA-1", "progress": False, "diagnose": False}

    assert not judge(swapped, **given).conforms
    assert judge(swapped, deviations={Deviation.MOMENTUM_OF_NEW_VALUE}, **given).conforms


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"profile": "long"}, "profile 'long': expected one of quick, default, thorough"),
        ({"seed": "1"}, "seed '1': expected an integer"),
        ({"seed": -1}, "seed -1: expected an integer of at least 0"),
        ({"requirements": "EMU"}, "EMU"),
        ({"edition": "1999.1"}, "edition 1999.1: this version of the suite does not have it"),
        ({"strict": 1}, "strict 1: expected true or false"),
        ({"waivers": "none.toml"}, "none.toml is not a waiver file"),
        ({"jobs": 2}, "jobs 2: it limits worker processes; pass isolated=True as well"),
        ({"isolated": True, "deviations": set(Deviation)}, "pass isolated=False, or declare"),
    ],
)
def test_arguments_that_cannot_be_used(given: dict[str, Any], message: str):
    """The message names the argument, the value and the rule."""
    with pytest.raises(OptionError) as refused:
        judge(StepwiseBatchNorm, **given)
    assert message in str(refused.value)


def test_what_cannot_be_imported_cannot_be_isolated():
    """The message says what to do."""

    class Local(StepwiseBatchNorm):
        """A class inside a function."""

    with pytest.raises(OptionError, match="Write it to a file"):
        judge(Local, isolated=True)
    with pytest.raises(AdapterError, match="no implementation is registered as 'imp'"):
        judge("imp", isolated=False)


SCRIPT = """
import conformance
from impl.stepwise import StepwiseBatchNorm

for isolated in (False, True):
    report = conformance.judge(StepwiseBatchNorm, requirements="BN-EMA-1", isolated=isolated)
    print(report.header.implementations, report.conforms)
"""


def test_a_script_needs_no_guard(tmp_path: Path):
    """Worker processes do not run the main module once more."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert done.stdout.splitlines() == [
        "['StepwiseBatchNorm'] True",
        "['impl.stepwise:StepwiseBatchNorm'] True",
    ], done.stderr


def test_the_same_verdicts_as_in_worker_processes():
    """Where an implementation is judged does not matter."""
    fault = FAULTS["eps-outside"].implementation
    here = judge(fault, requirements="EPS,EMA", progress=False)
    there = judge("fault:eps-outside", requirements="EPS,EMA", progress=False)

    assert [v.outcome for v in here.verdicts] == [v.outcome for v in there.verdicts]
    assert [c.sentence for c in here.causes] == [c.sentence for c in there.causes]
