"""Layers as people publish them are judged as they are: corpus/real and its table of verdicts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.command_line import conformance
from support.real_layers import FOLDER, ROOT, TABLE, by_hand, disagreements
from support.sampling import exhaustive

from conformance.adapters.implementation import Implementation
from conformance.adapters.resolve import resolve
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Level, select
from conformance.requirements.verdict import Outcome, Verdict

pytestmark = pytest.mark.filterwarnings("ignore:'.value' (access|setter) is now deprecated")

SAMPLE = {
    "nchw_attribute",
    "torch_rows",
    "masked_by_product",
    "reshaped_channels",
    "running_variance_by_column",
    "config_object",
    "pure_function",
}
"""The layers that the default run judges: one or more of each verdict."""


FEW = budget(max_examples=8)
FIRST = budget(minimize=False)


def names(*verdicts: str) -> list[Any]:
    """Return a parameter for each layer with one of these verdicts."""
    chosen = [name for name, entry in TABLE.items() if entry["verdict"] in verdicts]
    return [pytest.param(n, marks=() if n in SAMPLE else exhaustive) for n in chosen]


def place(name: str) -> str:
    """Return what a user types."""
    return f"{FOLDER.relative_to(ROOT)}/{name}.py:{TABLE[name]['entry']}"


def judge(implementation: Implementation, *, every: int = 1) -> dict[str, Verdict]:
    """Judge every n-th of the requirements that apply, with few cases; return verdicts by id."""
    rows = [r for r in select(REQUIREMENTS) if r.needs in implementation.capabilities][::every]
    subject = Subject(implementation)
    return {row.id: judge_requirement(row, subject, FEW) for row in rows}


def bad(verdicts: dict[str, Verdict], level: Level) -> set[str]:
    """Return what is violated, vacuous or in error among the requirements of a level."""
    return {i for i, v in verdicts.items() if v.outcome.bad and REQUIREMENTS[i].level is level}


def test_each_file_has_a_verdict():
    """The table names each file once, a known verdict and known requirements."""
    assert set(TABLE) == {path.stem for path in FOLDER.glob("*.py")}
    for name, entry in TABLE.items():
        assert entry["verdict"] in {"conforms", "declarations", "violates", "refused"}, name
        assert {*entry.get("violates", ()), *entry.get("should", ())} <= set(REQUIREMENTS), name
        assert all(REQUIREMENTS[i].level is Level.SHOULD for i in entry.get("should", ())), name
        assert all(REQUIREMENTS[i].level is Level.MUST for i in entry.get("violates", ())), name
        assert entry["seen"], name


def test_no_layer_has_an_adapter():
    """The files import nothing of the suite."""
    text = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.py")}
    assert not [name for name, code in text.items() if re.search(r"conformance|impl\b", code)]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in SAMPLE else exhaustive)
        for name, entry in TABLE.items()
        if "line" in entry or entry["entry"] == "batch_norm"
    ],
)
def test_plain_numpy_agrees_with_the_table(name: str):
    """Right layers compute the definition, and a mistake in values shows, without the suite."""
    entry = TABLE[name]
    wrong = entry["verdict"] == "violates" and entry.get("numeric", True)

    assert bool(disagreements(name)) == wrong


@pytest.mark.parametrize("name", names("conforms"))
def test_a_right_layer_conforms_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch):
    """No MUST is violated, and of the SHOULD rows those in the table."""
    monkeypatch.chdir(ROOT)
    verdicts = judge(resolve(place(name)), every=4 if name in SAMPLE else 1)

    assert len(verdicts) >= 2
    assert not bad(verdicts, Level.MUST)
    assert bad(verdicts, Level.SHOULD) == set(TABLE[name].get("should", ())) & set(verdicts)


@pytest.mark.parametrize("name", names("declarations"))
def test_a_convention_conforms_with_its_declarations(name: str, monkeypatch: pytest.MonkeyPatch):
    """Without them it violates what the declared convention changes, and nothing else."""
    monkeypatch.chdir(ROOT)
    bare = judge(resolve(place(name)))
    declared = judge(by_hand(name))
    declares = TABLE[name]["declare"]

    assert not bad(declared, Level.MUST)
    assert set(TABLE[name]["violates"]) <= bad(bare, Level.MUST)
    if "count" not in declares:  # with a count, states that are written are old: no row deviates
        same = {i for i, v in declared.items() if v.outcome is Outcome.CONFORMS}
        by_extra_state = {"BN-STATE-3"} if "extra" in declares else set()
        assert bad(bare, Level.MUST) & same <= by_extra_state


@pytest.mark.parametrize("name", names("violates"))
def test_a_wrong_layer_violates_what_names_its_mistake(name: str, monkeypatch: pytest.MonkeyPatch):
    """Each of the listed requirements, all of them MUST, is violated."""
    monkeypatch.chdir(ROOT)
    subject = Subject(resolve(place(name)))
    rows = [REQUIREMENTS[i] for i in TABLE[name]["violates"]]
    found = {row.id: judge_requirement(row, subject, FIRST).outcome for row in rows}

    assert set(found.values()) == {Outcome.VIOLATES}, found


@pytest.mark.parametrize("name", names("refused"))
def test_what_is_no_batch_norm_ends_with_exit_2(name: str):
    """One sentence says why; nothing is judged."""
    done = conformance("run", place(name), "-k", "INIT", cwd=ROOT)

    assert done.returncode == 2, done.stdout + done.stderr
    assert all(word in done.stdout + done.stderr for word in TABLE[name]["words"])
