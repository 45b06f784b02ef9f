"""What the judging process knows of an implementation that it does not import."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.numpy_norm import implementation

import impl
from conformance.adapters.implementation import Declaration
from conformance.engine.budget import budget
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.requirements.verdict import Outcome
from impl.variants import VARIANTS

KNOWN = {"layer": impl.reference(), "numpy": implementation(), **VARIANTS}


@pytest.mark.parametrize("name", KNOWN)
def test_a_declaration_arrives_as_it_is(name: str):
    """As JSON values, and with everything that the implementation itself offers."""
    judged = KNOWN[name]
    declared = judged.declaration
    arrived = Declaration.from_json(json.loads(json.dumps(declared.to_json())))

    assert arrived == declared
    assert arrived.capabilities == judged.capabilities
    assert arrived.deviations == judged.deviations
    assert (arrived.name, arrived.kind) == (judged.name, judged.kind)


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"name": ["impl"]},
        {"kind": 5},
        {"deviations": ["STATISTICS_IN_BFLOAT16"]},
        {"nnx_module": "yes"},
        {"capabilities": ["EVERYTHING"]},
        {"capabilities": 5},
        {"deviations": ["NOTHING"]},
        {"deviations": None},
        {"wider": {}},
        {"wider": {"precisions": [{"z": "float32"}]}},
        {"wider": 5},
        {"more": 1},
    ],
    ids=str,
)
def test_other_declarations_are_refused(change: dict[str, Any]):
    """Names that do not exist, and values of other types."""
    data = KNOWN["wide"].declaration.to_json() | change
    with pytest.raises((KeyError, TypeError)):
        Declaration.from_json(data)


LYING = """
from conformance.adapters.implementation import Declaration
from impl import reference

layer = reference()
written = Declaration.to_json
Declaration.to_json = lambda self: written(self) | {CHANGE}
"""


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    found = Supervisor(budget(max_examples=2))
    yield found
    found.close()


def test_a_verdict_has_the_name_that_was_asked_for(supervisor: Supervisor, tmp_path: Path):
    """Whatever name a process gives itself."""
    (tmp_path / "lying.py").write_text(LYING.replace("CHANGE", '"name": "impl"'), "utf-8")
    verdict = supervisor.judge("BN-EVAL-1", "lying.py:layer")
    assert (verdict.implementation, verdict.outcome) == ("lying.py:layer", Outcome.CONFORMS)


def test_who_declares_nonsense_is_not_judged(supervisor: Supervisor, tmp_path: Path):
    """And hears why."""
    (tmp_path / "lying.py").write_text(LYING.replace("CHANGE", '"deviations": ["ALL"]'), "utf-8")
    refused = supervisor.refusal("lying.py:layer")
    assert refused == "its process declares something that does not exist: 'ALL'"
    assert supervisor.judge("BN-EVAL-1", "lying.py:layer").outcome is Outcome.ERRORED
