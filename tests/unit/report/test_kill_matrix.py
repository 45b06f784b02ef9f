"""The kill matrix, and the journal of judgements."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import ModuleType

import pytest

from conformance.adapters.errors import AdapterError
from conformance.adapters.gallery import find_galleries, load_member
from conformance.adapters.resolve import resolve
from conformance.engine.budget import budget
from conformance.engine.journal import Journal, digest
from conformance.report.kill_matrix import KillMatrix
from conformance.requirements import REQUIREMENTS, Level, select
from conformance.requirements.verdict import Outcome, Verdict
from impl.faulty import FAULTS

NAME = "eps-outside"


def verdict(identity: str, outcome: Outcome, *, fault: str = NAME, cases: int = 7) -> Verdict:
    return Verdict(
        requirement=identity,
        implementation=f"fault:{fault}",
        kind="nnx.Module",
        outcome=outcome,
        level=Level.MUST,
        cases=cases,
    )


def test_a_fault_is_an_implementation_of_a_gallery():
    """``fault:NAME`` is judged like any implementation, under that name."""
    assert resolve(f"fault:{NAME}").name == f"fault:{NAME}"
    assert set(find_galleries()) >= {"fault", "variant"}


def test_an_unknown_member_names_the_nearest():
    """The message says how many there are, and which one may be meant."""
    with pytest.raises(AdapterError, match=r"none is named 'eps-outsid'. Did you mean fault:eps-"):
        load_member("fault", "eps-outsid")


# The matrix


def test_a_listed_pair_that_conforms_is_missed():
    """A verdict that conforms where the record lists the requirement is a miss."""
    listed = FAULTS[NAME].breaks[0]
    matrix = KillMatrix.of(FAULTS, [verdict(listed, Outcome.CONFORMS)])

    assert matrix.missed == [(NAME, listed)]
    assert matrix.survivors == [NAME]


def test_a_pair_that_was_not_judged_is_not_missed():
    """An interrupted run accuses nobody."""
    matrix = KillMatrix.of(FAULTS, [])

    assert not matrix.missed
    assert not matrix.survivors


def test_requirements_without_a_kill_are_unproved():
    """Every requirement needs a fault that violates it."""
    matrix = KillMatrix.of(FAULTS, [verdict("BN-EPS-1", Outcome.VIOLATES)])

    assert set(matrix.unproved) == {row.id for row in select(REQUIREMENTS)} - {"BN-EPS-1"}
    assert matrix.killers["BN-EPS-1"] == [NAME]


def test_an_error_is_neither_yes_nor_no():
    """A judgement that failed is kept apart from kills."""
    matrix = KillMatrix.of(FAULTS, [verdict("BN-EPS-1", Outcome.ERRORED)])

    assert matrix.rows[NAME].failed == {"BN-EPS-1": "errored"}
    assert not matrix.rows[NAME].killed


def test_the_matrix_can_be_read_back(tmp_path: Path):
    """Writing and reading keep every row."""
    matrix = KillMatrix.of(FAULTS, [verdict("BN-EPS-1", Outcome.VIOLATES)])
    matrix.conditions = "a test"
    matrix.write(tmp_path / "matrix.json")

    assert KillMatrix.read(tmp_path / "matrix.json") == matrix


# The journal


def test_a_journal_keeps_what_still_holds(tmp_path: Path):
    """Verdicts come back; those of other code, and half a line, do not."""
    path = tmp_path / "journal.jsonl"
    now = Journal(path, {f"fault:{NAME}": "new"})
    Journal(path, {f"fault:{NAME}": "old"}).note(verdict("BN-EPS-1", Outcome.CONFORMS))
    now.note(verdict("BN-EVAL-1", Outcome.VIOLATES))
    with path.open("a") as file:
        file.write('{"digest": "new", "verd')

    assert [v.requirement for v in now.verdicts()] == ["BN-EVAL-1"]


def test_a_digest_depends_on_the_budget_and_the_module():
    """Another seed, or another module, is another digest."""
    module = FAULTS[NAME].module
    one = digest(module, budget())

    assert digest(module, budget()) == one
    assert digest(module, budget(seed=1)) != one
    assert digest("impl.stepwise", budget()) != one


def test_a_digest_depends_on_what_a_module_imports(monkeypatch: pytest.MonkeyPatch):
    """A change of a base that the module builds on is another digest; of another, it is not."""
    one = {name: digest(f"impl.faulty.{name}", budget()) for name in ("backward", "epsilon")}
    source = inspect.getsource

    def edited_source(module: ModuleType) -> str:
        return source(module) + "# edited" * (module.__name__ == "impl.handwritten")

    monkeypatch.setattr(inspect, "getsource", edited_source)

    assert digest("impl.faulty.backward", budget()) != one["backward"]
    assert digest("impl.faulty.epsilon", budget()) == one["epsilon"]


def test_a_written_matrix_is_json(tmp_path: Path):
    """What ``write`` wrote has each fault with the requirements that it violates."""
    violated = ["BN-EPS-1", "BN-EVAL-1", "BN-TRAIN-1"]
    verdicts = [verdict(identity, Outcome.VIOLATES) for identity in violated]
    KillMatrix.of({NAME: FAULTS[NAME]}, verdicts).write(tmp_path / "matrix.json")

    found = json.loads((tmp_path / "matrix.json").read_text("utf-8"))["faults"]

    assert list(found) == [NAME]
    assert list(found[NAME]["violates"]) == violated
