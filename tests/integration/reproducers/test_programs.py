"""Scripts of violations, run as programs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.judging import judge_by_id
from support.sampling import exhaustive
from support.violations import a_case, verdict_of

from conformance.adapters.implementation import Implementation
from conformance.adapters.resolve import resolve
from conformance.engine.budget import budget
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.properties.support.subject import Subject
from conformance.report.reproducers.construction_spec import Blueprint, Place, blueprint_of
from conformance.report.reproducers.no_script import NoScript
from conformance.report.reproducers.recorder import Recording, record_case
from conformance.report.reproducers.render import script_of
from conformance.report.reproducers.verify import write_script
from conformance.requirements.finding import Finding
from conformance.requirements.verdict import Verdict
from impl import reference
from impl.faulty import FAULTS

_OF_A_FILE = """
from impl.batchnorm import MyBatchNorm


class Norm(MyBatchNorm):
    def _updated(self, running, batch):
        return UPDATED
"""
_UPDATES = {
    "BN-GRAD-8": "self.momentum * running + (1 - self.momentum) * batch",
    "BN-SEQ-1": "self.momentum * running + self.momentum * batch",
    "right": "super()._updated(running, batch)",
}


@pytest.mark.parametrize("identity", [pytest.param("BN-GRAD-8", marks=exhaustive), "BN-SEQ-1"])
def test_a_script_is_a_program_of_its_own(identity: str, tmp_path: Path):
    """Run by another interpreter, on a class in a file: 1, then 0 once fixed, 125 once gone."""
    path = tmp_path / "norm.py"
    path.write_text(_OF_A_FILE.replace("UPDATED", _UPDATES[identity]))
    implementation = resolve(f"{path}:Norm")
    verdict = judge_by_id(Subject(implementation), identity)
    script = tmp_path / "bug.py"
    write_script(*recorded(verdict, implementation), script)

    assert status_of(script) == 1
    path.write_text(_OF_A_FILE.replace("UPDATED", _UPDATES["right"]))
    assert status_of(script) == 0
    path.unlink()
    assert status_of(script) == 125


def recorded(
    verdict: Verdict, implementation: Implementation
) -> tuple[Verdict, Recording, Blueprint]:
    """Return what a script is written of."""
    assert verdict.violation is not None
    subject = Subject(implementation)
    recording = record_case(verdict.requirement, subject, verdict.violation.values)
    return verdict, recording, blueprint_of(implementation)


def status_of(script: Path) -> int:
    command = [sys.executable, "-B", str(script)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_a_class_within_another_in_a_file_of_any_name(tmp_path: Path):
    """What cannot be imported by a statement is imported all the same."""
    path = tmp_path / "my-norm.py"
    text = _OF_A_FILE.replace("UPDATED", _UPDATES["BN-SEQ-1"]).replace("\n", "\n    ")
    head, _, body = text.partition("class Norm")
    path.write_text(f"{head.strip()}\nclass Outer:\n    class Norm{body}")
    implementation = resolve(f"{path}:Outer.Norm")
    verdict = judge_by_id(Subject(implementation), "BN-EMA-2", minimize=False)
    write_script(*recorded(verdict, implementation), tmp_path / "bug.py")

    assert status_of(tmp_path / "bug.py") == 1


_HANGING = """
import os, time
from impl.batchnorm import MyBatchNorm

class Norm(MyBatchNorm):
    def __call__(self, x, use_running_average):
        HOW
        return super().__call__(x, use_running_average)
"""


def from_user_module(place: Path, text: str) -> Blueprint:
    (place / "user_norm.py").write_text(text, encoding="utf-8")
    here = Place(module="user_norm", name="Norm", file=str(place / "user_norm.py"))
    return replace(blueprint_of(reference()), layer=here)


def find_on_faulty() -> tuple[Verdict, Recording]:
    """Return a violation of a faulty layer, and its recording."""
    implementation = FAULTS["eps-outside"].implementation
    verdict = judge_by_id(Subject(implementation), "BN-TRAIN-1", minimize=False)
    return recorded(verdict, implementation)[:2]


@exhaustive
@pytest.mark.parametrize("how", ["time.sleep(600)", "os._exit(0)"])
def test_a_layer_that_hangs_or_dies_has_a_script(how: str, tmp_path: Path):
    """It watches the layer from another process, and ends with 1 by itself."""
    blueprint = from_user_module(tmp_path, _HANGING.replace("HOW", how))
    name = f"{tmp_path / 'user_norm.py'}:Norm"
    finding = Finding(quantity="y", got=1.0, expected=2.0)
    verdict = verdict_of(finding, a_case())
    assert verdict.violation is not None
    supervisor = Supervisor(budget(minimize=False), Limits(seconds=5))
    with contextlib.closing(supervisor):
        assert supervisor.refusal(name) is None
        subject = supervisor.subject(name)
        recording = record_case("BN-TRAIN-1", subject, verdict.violation.values)
    assert recording.finding is not None
    assert recording.finding.kind.ended_worker
    script = tmp_path / "bug.py"
    text = script_of(verdict, recording, blueprint).replace("timeout=5 + 60", "timeout=9")
    script.write_text(text, encoding="utf-8")

    assert status_of(script) == 1
    from_user_module(tmp_path, _HANGING.replace("HOW", "pass"))
    assert status_of(script) == 0


@exhaustive
def test_trying_a_script_has_a_limit(tmp_path: Path):
    """A layer that hangs where a number was wrong before does not hang the command."""
    blueprint = from_user_module(tmp_path, _HANGING.replace("HOW", "time.sleep(600)"))

    with pytest.raises(NoScript, match=r"the script did not finish within 6 s, and was stopped"):
        write_script(*find_on_faulty(), blueprint, tmp_path / "bug.py", limit=6)
    assert not (tmp_path / "bug.py").exists()


@exhaustive
def test_what_does_not_come_back_is_not_written(tmp_path: Path):
    """For a correct layer there is no script, and the message says why."""
    found = find_on_faulty()
    blueprint = from_user_module(tmp_path, "from impl.batchnorm import MyBatchNorm as Norm\n")

    with pytest.raises(NoScript, match=r"the script exited with 0: "):
        write_script(*found, blueprint, tmp_path / "bug.py")
    blueprint = from_user_module(tmp_path, "raise ImportError('gone')\n")
    with pytest.raises(NoScript, match=r"exited with 125 \(inconclusive\): ImportError: gone"):
        write_script(*found, blueprint, tmp_path / "bug.py")
    assert not (tmp_path / "bug.py").exists()
