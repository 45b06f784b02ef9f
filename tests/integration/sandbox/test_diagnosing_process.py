"""The process that diagnoses: what it imports and needs, and what cannot be forged in it."""

from __future__ import annotations

import json
import os
import sys

import pytest
from support.hostile_runs import TESTS
from support.small_processes import run_small

from conformance.diagnosis.client import ask

DIAGNOSING = "from conformance.diagnosis.__main__ import main; main()"


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_diagnosis_is_made_without_the_implementation_and_without_jax():
    """Calls and gradients are observed by a small process that has seen nothing but arrays."""
    name = "backward-without-projection"
    question = {"implementation": f"fault:{name}", "strictly": False}
    assert run_small(DIAGNOSING, given=json.dumps(question))["id"] == name


@pytest.mark.parametrize("name", ["the_diagnosis", "the_answer_of_the_diagnosis"])
def test_a_forged_diagnosis_is_not_the_answer(name: str, monkeypatch: pytest.MonkeyPatch):
    """The layer is diagnosed by what it computes."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)

    assert ask(f"support.forgeries.suite:{name}", strictly=False)["id"] == "eps-outside"
