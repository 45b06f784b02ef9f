"""The kill matrix, the journal, and the command that makes them."""

from __future__ import annotations

import inspect
import json
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from support.command_line import conformance

from conformance.adapters.errors import AdapterError
from conformance.adapters.gallery import find_galleries, load_member
from conformance.adapters.resolve import resolve
from conformance.engine.budget import budget
from conformance.engine.journal import Journal, digest
from conformance.report.kill_matrix import KillMatrix
from conformance.requirements import REQUIREMENTS, Level
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


def faults(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return conformance("faults", *arguments, cwd=cwd)


# Galleries


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

    assert set(matrix.unproved) == set(REQUIREMENTS) - {"BN-EPS-1"}
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


def test_a_file_of_something_else_is_no_journal(tmp_path: Path):
    """Nothing is judged, and nothing is appended to a file that has no verdicts."""
    notes = tmp_path / "notes.txt"
    notes.write_bytes(b"bread\nmilk \xff\n")
    done = faults("eps-*", "--resume", str(notes), cwd=tmp_path)

    assert done.returncode == 2
    assert "holds no verdicts: --resume takes a file that" in " ".join(done.stderr.split())
    assert notes.read_bytes() == b"bread\nmilk \xff\n"


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

    def edited(module: ModuleType) -> str:
        return source(module) + "# edited" * (module.__name__ == "impl.handwritten")

    monkeypatch.setattr(inspect, "getsource", edited)

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


# The command


def test_faults_are_shown_to_be_caught(tmp_path: Path):
    """The command prints a table by family and the sum, writes the matrix, and ends with 0."""
    journal, target = tmp_path / "journal.jsonl", tmp_path / "matrix.json"
    options = ("eps-*", "-j", "1", "--resume", str(journal), "--matrix", str(target))
    first = faults(*options, cwd=tmp_path)
    lines = len(journal.read_text().splitlines())
    again = faults(*options, cwd=tmp_path)

    chosen = [name for name in FAULTS if name.startswith("eps-")]
    assert first.returncode == 0, first.stdout + first.stderr
    assert f"{len(chosen)} of {len(chosen)} faults are caught" in first.stdout
    assert max(map(len, first.stdout.splitlines())) <= 80
    assert again.returncode == 0
    assert len(journal.read_text().splitlines()) == lines  # nothing was judged again
    data = json.loads(target.read_text())
    assert set(data["faults"]) == set(chosen)
    assert data["faults"][NAME]["violates"]


def test_an_unknown_pattern_is_a_usage_error(tmp_path: Path):
    """The message names the families there are."""
    done = faults("no-such-*", cwd=tmp_path)

    assert done.returncode == 2
    assert "no fault is named no-such-*; the families are affine" in done.stderr


def test_an_unknown_gallery_is_a_usage_error(tmp_path: Path):
    """So is a gallery that holds no faults."""
    assert "there are fault, variant" in faults("--gallery", "zoo", cwd=tmp_path).stderr
    assert "holds no records of faults" in faults("--gallery", "variant", cwd=tmp_path).stderr
