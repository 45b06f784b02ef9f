"""JIT-4 to JIT-7: what stays in a compiled function, and what leaves it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
from flax import nnx

from conformance.adapters.nnx import apply, train
from conformance.adapters.placing import placed
from conformance.case import Case
from conformance.checks import check_true
from conformance.layers import ARRAYS, PARAMETERS
from conformance.properties.claims import (
    check_evaluated,
    check_evaluation,
    check_kept,
    check_trained,
)
from conformance.properties.history import Model
from conformance.properties.registry import requirement
from conformance.properties.transforming import compiled, transforms_of
from conformance.strategies.cases import Rewritten, Stream, cases, rewritten_cases, streams
from conformance.strategies.palette import COMPILED, TRANSFORMED
from conformance.strategies.source import choices
from conformance.subject import Subject, as_numpy, calling


@requirement(
    "BN-JIT-4",
    share=0.4,
    drawn=lambda _: rewritten_cases(COMPILED),
    evaluate=lambda _: choices(0, 1),
)
def nothing_is_baked_in(subject: Subject, drawn: Rewritten, evaluate: int) -> None:
    """call, change the four arrays or one, call the same jitted function: the change counts"""
    case, other = drawn
    layer, _, x = subject.start(case)
    compiled(subject, layer, x, evaluate=bool(evaluate))
    layer.write(other)
    y = compiled(subject, layer, x, evaluate=bool(evaluate))

    if evaluate:
        check_evaluated(case.config, other, case.x, y)
    else:
        check_trained(subject, case, other, y, layer.state)


@requirement("BN-JIT-5", share=0.03, case=lambda _: cases(TRANSFORMED))
def no_tracer_escapes(subject: Subject, case: Case) -> None:
    """after nnx.jit in both modes no new tracer is alive, and the layer works eagerly"""
    layer, _, x = subject.start(case)
    with _new_tracers() as alive, calling("the call under nnx.jit"):
        for flag in (False, True):
            nnx.jit(partial(apply, use_running_average=flag))(layer.module, x)

    shapes = ", ".join(sorted({str(tracer.aval) for tracer in alive}))
    got = f"{len(alive)} alive: {shapes}"
    check_true("tracers after the transform", not alive, got=got, expected="none")
    check_evaluation(layer, case, x)
    before = layer.usable_state
    check_trained(subject, case, before, layer.train(x), layer.state)


@requirement(
    "BN-JIT-6", share=0.3, case=lambda _: cases(COMPILED), evaluate=lambda _: choices(0, 1)
)
def the_functional_form_is_right(subject: Subject, case: Case, evaluate: int) -> None:
    """jit of the layer as a pure function meets BN-TRAIN-1, BN-EMA-1, BN-EMA-2 and BN-EVAL-1"""
    layer, before, x = subject.start(case)
    with calling("jax.jit of the layer as a function of its state"):
        y, other = transforms_of(subject, layer).apart(x, evaluate=bool(evaluate))
    after = layer.holding(other).state

    check_kept(after, before, "as before", names=ARRAYS if evaluate else PARAMETERS)
    rule = "as before: the call was on a copy of its state"
    check_kept(layer.state, before, rule, of=" of the layer taken apart")
    if evaluate:
        check_evaluated(case.config, before, case.x, as_numpy("y", y))
    else:
        check_trained(subject, case, before, as_numpy("y", y), after)


@requirement(
    "BN-JIT-7",
    share=0.15,
    drawn=lambda _: streams(TRANSFORMED),
    fresh=lambda _: choices(0, 2),
)
def donated_state_is_replaced(subject: Subject, drawn: Stream, fresh: int) -> None:
    """with the module donated, n compiled calls are n steps, and evaluation follows"""
    layer = subject.build(drawn.case.config, None if fresh else drawn.case.state)
    before = layer.usable_state
    model = Model.starting(drawn.case.config, before, subject.accuracy)

    for batch in (drawn.case.x, *drawn.following):
        with calling("the call under nnx.jit with the module donated"):
            _DONATING(layer.module, *placed(batch))
        model.train(batch)
        model.check_statistics(layer.state)
    check_evaluation(layer, drawn.case, subject.input(drawn.case))


@contextmanager
def _new_tracers() -> Iterator[list[Any]]:
    """Collect the tracers made inside the block that something still refers to at its end.

    JAX's own checker, ``jax.checking_leaks``, asks whether the trace is referred to; it also
    reports correct code with a ``custom_vjp``, without naming any tracer.
    """
    found: list[Any] = []
    gc.freeze()  # what exists by now, garbage too, is neither looked through nor listed
    try:
        yield found
        gc.collect()
        found += [held for held in gc.get_objects() if isinstance(held, jax.core.Tracer)]
    finally:
        gc.unfreeze()


_DONATING = nnx.jit(train, donate_argnums=0)
