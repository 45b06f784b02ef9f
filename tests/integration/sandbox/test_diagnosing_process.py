"""The processes that diagnose and observe: what they import and need, and what is not forged."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest
from support.hostile_runs import TESTS
from support.sampling import exhaustive
from support.small_processes import run_small

from conformance.diagnosis.client import ExpertProcess

DIAGNOSING = """
import json, sys, time
from conformance.diagnosis.explanation import examine
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.worker_process import WorkerProcess
from conformance.properties.support.subject import Subject

worker = WorkerProcess(sys.argv[1], Limits())
examined = examine(Subject(worker.receive_declaration(), worker))
worker.close()
print(json.dumps(examined.explain([], time.time())))
"""

CHECKING = """
import json
from conformance.diagnosis.adapter_check import problems
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.worker_process import WorkerProcess
from conformance.properties.support.subject import Subject

worker = WorkerProcess("linen", Limits())
found = list(problems(Subject(worker.receive_declaration(), worker)))
worker.close()
print(json.dumps(found))
"""

NEEDS_PROC = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")


@NEEDS_PROC
def test_a_diagnosis_is_made_without_the_implementation_and_without_jax():
    """Calls and gradients are observed by a small process that has seen nothing but arrays."""
    name = "backward-without-projection"
    assert run_small(DIAGNOSING, f"fault:{name}")["id"] == name


@NEEDS_PROC
def test_an_adapter_is_checked_without_the_implementation_and_without_jax():
    """All steps are taken, and none finds anything."""
    found = run_small(CHECKING)
    assert len(found) > 10
    assert [problem for _, problem in found if problem is not None] == []


@pytest.mark.parametrize(
    "name", ["the_diagnosis", pytest.param("the_answer_of_the_diagnosis", marks=exhaustive)]
)
def test_a_forged_diagnosis_is_not_the_answer(name: str, monkeypatch: pytest.MonkeyPatch):
    """The layer is diagnosed by what it computes."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)

    asked = ExpertProcess(f"support.forgeries.suite:{name}", strictly=False, diagnose=True)
    with contextlib.closing(asked) as expert:
        assert expert.explain([])["id"] == "eps-outside"


WRONG = """
from impl.stepwise import StepwiseBatchNorm


class EpsOutside(StepwiseBatchNorm):
    def inverse_std(self, var):
        return 1 / (var**0.5 + self.eps)
"""


@pytest.mark.parametrize(("name", "sentences"), [("EpsOutside", 1), ("StepwiseBatchNorm", 0)])
def test_a_mistake_is_named_before_it_is_verified(tmp_path: Path, name: str, sentences: int):
    """While other requirements are judged; a layer with nothing to name is not busy either."""
    file = tmp_path / "norm.py"
    file.write_text(WRONG)
    with contextlib.closing(
        ExpertProcess(f"{file}:{name}", strictly=False, diagnose=True)
    ) as expert:
        found = expert.likely(60)
        wanted = [("ε is added outside the root", 7)] * sentences
        assert [(each["sentence"], each["line"]["line"]) for each in found] == wanted
        assert not expert.is_busy
        assert expert.explain([])["kind"] == ("alternative" if sentences else "none")
