"""Programs of steps, cases without equal numbers, and the model that both are judged by."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from support.drawn_cases import assert_valid, assert_valid_state, draw_for

from conformance.adapters.implementation import Implementation
from conformance.adapters.nnx_restoring import COPIED
from conformance.numerics import oracle
from conformance.numerics.conventions import STRICT
from conformance.numerics.state import State
from conformance.properties.sequences import COPIED_BY, Run, any_sequence_follows_the_model
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.sequence_model import Expected
from conformance.properties.support.subject import Subject
from conformance.report.text import format_literal
from conformance.strategies.bytestream import SIZE, ByteReader
from conformance.strategies.case import literals
from conformance.strategies.programs import AGAIN, KINDS, RUNS, Program, Step, programs
from conformance.strategies.shape_grid import DEFAULT, TRANSFORMED, draw_palette
from impl.stepwise import StepwiseBatchNorm

_FEW = settings(max_examples=40)
_STEPWISE = Subject(Implementation.nnx(StepwiseBatchNorm, name="stepwise"))


@cache
def default_programs() -> tuple[Program, ...]:
    """Return the programs of the default budget."""
    drawn = draw_for("BN-SEQ-1", {"program": programs})
    return tuple(values["program"] for values in drawn)


def program_of(*steps: Step) -> Program:
    """Return a program on the layer of the first drawn one."""
    return replace(default_programs()[0], steps=steps)


# Programs


@_FEW
@given(programs(DEFAULT).to_hypothesis())
def test_every_program_is_valid(program: Program):
    """Batches, states and both layers have one width, and steps name what there is."""
    features = program.case.config.features
    assert_valid(program.case)
    assert program.other.features == features
    assert program.batches[0] is program.case.x
    assert program.batches[1].shape == program.case.x.shape
    for batch in program.batches:
        assert_valid(program.case.with_x(batch))
        assert batch.shape[1] == features
    for state in program.states:
        assert_valid_state(state, features)
    assert 1 <= len(program.steps) <= 30
    for step in program.steps:
        assert step.kind in KINDS
        assert max(step.batches, default=0) < len(program.batches)
        assert max(step.states, default=0) < len(program.states)
        assert step.times == 1 or step.kind in RUNS
        assert not step.jit or step.batch < 2


@pytest.mark.parametrize("seed", range(5))
def test_fresh_palettes_serve_programs(seed: int):
    """Sizes of the third batch come from the palette of the run, if it has any of the width."""
    for number in range(20):
        raw = np.random.default_rng([seed, number]).bytes(SIZE)
        program = programs(draw_palette(seed)).draw_from(ByteReader(raw))
        shapes = {(entry.rows, entry.features) for entry in (*draw_palette(seed), *TRANSFORMED)}
        assert program.batches[2].shape in shapes


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_step_occurs(kind: str):
    """The programs of the default budget have each kind of step three times or more."""
    count = Counter(step.kind for program in default_programs() for step in program.steps)
    assert count[kind] >= 3


def test_calls_are_made_in_every_manner():
    """Both modes are called on all three batches, jitted and not, with NumPy and JAX arrays."""
    calls = [s for p in default_programs() for s in p.steps if s.kind in {"train", "evaluate"}]
    manners = {(s.kind, s.batch, s.jit, s.as_jax) for s in calls}
    for kind in ("train", "evaluate"):
        assert {(kind, batch, False, False) for batch in range(3)} <= manners
        assert {(kind, batch, True, False) for batch in range(2)} <= manners
        assert {(kind, batch, False, True) for batch in range(3)} <= manners


def test_some_runs_are_long():
    """Some program trains a layer more than 150 times, and another evaluates one as often."""
    longest = Counter[str]()
    for program in default_programs():
        for step in program.steps:
            longest[step.kind] = max(longest[step.kind], step.times)
    assert longest["train often"] > 150
    assert longest["evaluate often"] > 150
    assert longest["alternate"] >= 50


def test_copies_of_copies_occur():
    """Several programs copy twice."""
    copied = [sum(s.kind == "clone" for s in p.steps) for p in default_programs()]
    assert sum(count > 1 for count in copied) >= 3


def test_every_copy_has_a_function():
    """Each way of copying is a step of stored programs; programs that are drawn clone."""
    assert set(COPIED_BY.values()) == set(COPIED)
    assert set(COPIED_BY) & set(KINDS) == {"clone"}


# The literal form


def test_the_minimal_program_is_one_call():
    """Zero bytes are a program of one evaluation of zeros."""
    program = programs(DEFAULT).draw_from(ByteReader(bytes(SIZE)))
    assert literals({"program": program}) == {
        "momentum": 0.75,
        "eps": 1e-05,
        "x0": [[0.0], [0.0]],
        "program": ["evaluate(x0)"],
    }


def test_a_program_prints_as_instructions():
    """Each step is one short instruction."""
    program = program_of(
        Step("train", batch=1, jit=True),
        Step("changed again", batch=1),
        Step("set beta", state=1),
        Step("pickle"),
        Step("alternate", batch=1, times=5),
        Step("mutate", batch=2),
        Step("evaluate", as_jax=True),
    )
    shown = literals({"program": program})
    wanted = (
        "[train(x1, jit), x1[0] += 3, again(x1), beta = state1.beta, pickle, "
        "train(x1) and evaluate(x0) in turn, 5 calls, x2[0] += 3, evaluate(x0, jax)]"
    )
    assert format_literal(shown["program"]) == wanted
    assert {"x0", "x1", "x2", "state1"} <= set(shown)
    assert "state0" not in shown
    assert "other layer" not in shown


def test_programs_are_short_and_show_what_they_use():
    """A step is at most seventy characters, and every name in it has a value beside it."""
    for program in default_programs():
        shown = literals({"program": program})
        for text in shown["program"]:
            assert len(text) <= 70
            names = {f"x{i}" for i in range(3)} | {f"state{i}" for i in range(2)}
            assert {name for name in names if name in text} <= set(shown)


def test_repeating_names_the_last_call():
    """``again`` has the batch of the last call before it, run or not."""
    for program in default_programs():
        batch = 0
        for step in program.steps:
            if step.kind in AGAIN:
                assert step.batch == batch
            elif step.kind in RUNS:
                batch = step.batches[(step.times - 1) % 2]
            elif step.kind in {"train", "evaluate"}:
                batch = step.batch


# The model


def follow(subject: Subject, program: Program) -> None:
    """Take a program as a run of the property does."""
    subject.session.begin_case()
    any_sequence_follows_the_model(subject, program)
    subject.session.finish()


def test_the_model_is_the_oracle_step_by_step():
    """Training, writing and copying the model agree with the oracle, one after the other."""
    for program in default_programs():
        config, state = program.case.config, State.fresh(program.case.config.features)
        model = Expected.from_state(config, state, STRICT)
        mean, var = state.running_mean, state.running_var
        for batch in program.batches:
            model.train(batch)
            exact = oracle.train(config, state.replace(running_mean=mean, running_var=var), batch)
            mean, var = exact.running_mean, exact.running_var
            assert np.array_equal(model.model.mean.value, mean)
            assert np.array_equal(model.model.var.value, var)
        copied = model.copy()
        model.write({"running_mean": program.states[0].running_mean})
        assert np.array_equal(model.model.mean.value, program.states[0].running_mean)
        assert not model.model.mean.strict.any()
        assert np.array_equal(model.model.var.value, var)
        assert np.array_equal(copied.model.mean.value, mean)


@pytest.mark.parametrize("kind", KINDS)
def test_a_correct_layer_takes_every_step(kind: str):
    """Each kind of step, between calls in both modes, is right on a correct layer."""
    around = (Step("train"), Step("evaluate", batch=1), Step("train", batch=1, jit=True))
    program = program_of(*around, Step(kind, times=3 if kind in RUNS else 1), *around)
    follow(_STEPWISE, program)


def test_layers_alive_are_few_and_the_copied_stays():
    """After a copy the copy is current, what was copied is one switch away, three are alive."""
    _STEPWISE.session.begin_case()
    run = Run.start(_STEPWISE, default_programs()[0])
    for _ in range(6):
        original = run.current
        run.take(Step("clone"))
        copied = run.current
        assert copied is not original
        run.take(Step("switch"))
        assert run.current is original
        assert len(run.live) == 3
    _STEPWISE.session.finish()


def test_findings_name_their_step():
    """The finding says in which step it was made."""

    class Forgetful(StepwiseBatchNorm):
        def __setstate__(self, state: Any) -> None:
            super().__setstate__(state)
            self.momentum = 0.123

    subject = Subject(Implementation.nnx(Forgetful, name="forgetful"))
    program = program_of(Step("pickle"), Step("train", batch=1))
    with pytest.raises(ViolationFound, match=r", in step 2, train\(x1\)"):
        follow(subject, program)
