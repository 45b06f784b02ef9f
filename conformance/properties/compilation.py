"""JIT: the compiled layer.

A new configuration compiles, so these draw from ``shape_grid.COMPILED``: few shapes and
configurations, many values.
"""

from __future__ import annotations

from collections.abc import Iterator

from conformance.adapters.protocols import ARRAYS, PARAMETERS
from conformance.numerics.sources import formula
from conformance.properties.support.checks import check_true
from conformance.properties.support.claims import (
    check_evaluated,
    check_evaluation,
    check_kept,
    check_trained,
)
from conformance.properties.support.module_facts import is_empty
from conformance.properties.support.property import requirement
from conformance.properties.support.running_stats_model import RunningStatsModel
from conformance.properties.support.session import as_array
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import Rewritten, Stream, cases, rewritten_cases, streams
from conformance.strategies.shape_grid import COMPILED, TRANSFORMED


@requirement(
    "BN-JIT-1", share=0.3, case=lambda _: cases(COMPILED), evaluate=lambda _: integers(0, 1)
)
def jit_gives_the_right_results(subject: Subject, case: Case, evaluate: int) -> Iterator[None]:
    """jit(layer)(x) meets BN-TRAIN-1, BN-EMA-1, BN-EMA-2 and BN-EVAL-1"""
    layer, before, x = subject.start(case)
    y, after = layer.call_jitted(x, evaluate=bool(evaluate)), layer.state
    yield

    kept = ARRAYS if evaluate else PARAMETERS
    check_kept(after, before, "as before the compiled call", names=kept)
    if evaluate:
        check_evaluated(case.config, before, case.x, y, subject.conventions)
    else:
        check_trained(subject, case, before, y, after, what="y under jit")


@requirement("BN-JIT-2", share=0.2, drawn=lambda _: streams(COMPILED))
def updates_leave_the_jitted_function(subject: Subject, drawn: Stream) -> Iterator[None]:
    """n compiled calls are n steps of the recursion"""
    layer, before, _ = subject.start(drawn.case)
    batches, states = [drawn.case.x, *drawn.following], []
    for batch in batches:
        layer.call_jitted(batch, evaluate=False)
        states.append(layer.state)
    yield

    model = RunningStatsModel.from_state(drawn.case.config, before, subject.conventions)
    for batch, state in zip(batches, states, strict=True):
        model.train(batch)
        model.check_statistics(state)


TRACES = 2
"""One per mode; a state that settles after its first update may cost one more in each."""


@formula
def is_traced_once(traced: list[bool], flag: bool) -> bool:
    """Return whether a mode is traced once, or once more for a state that settles."""
    return traced.count(flag) <= TRACES


@requirement("BN-JIT-3", share=0.08, drawn=lambda _: streams(COMPILED, min_size=4))
def one_trace_per_mode(subject: Subject, drawn: Stream) -> None:
    """after the second call of each mode nothing is traced again, and each mode is right"""
    case = drawn.case
    layer, before, _ = subject.start(case)
    label = f"the call under {subject.session.library}.jit"
    program = layer.keep("compile_anew", label=label)
    model = RunningStatsModel.from_state(case.config, before, subject.conventions)
    for batch in (case.x, *drawn.following):
        subject.session.ask("call_program", program, batch, False, label=label)
        y = as_array("y", subject.session.ask("call_program", program, batch, True, label=label))
        model.train(batch)
        model.check_statistics(layer.state)
        check_evaluated(case.config, layer.usable_state, batch, y, subject.conventions)

    traced = subject.session.ask("traces", program, label=label)
    for flag, mode in ((False, "training"), (True, "evaluation")):
        count = traced.count(flag)
        calls = 1 + len(drawn.following)
        got = f"{count} traces in {calls} calls"
        what = f"traces of {mode} on one shape"
        check_true(what, is_traced_once(traced, flag), got=got, expected="1")


@requirement(
    "BN-JIT-4",
    share=0.2,
    drawn=lambda _: rewritten_cases(COMPILED),
    evaluate=lambda _: integers(0, 1),
)
def nothing_is_baked_in(subject: Subject, drawn: Rewritten, evaluate: int) -> Iterator[None]:
    """call, change the four arrays or one, call the same jitted function: the change counts"""
    case, other = drawn
    layer, _, x = subject.start(case)
    layer.call_jitted(x, evaluate=bool(evaluate))
    layer.write(other)
    y, after = layer.call_jitted(x, evaluate=bool(evaluate)), layer.state
    yield

    if evaluate:
        check_evaluated(case.config, other, case.x, y, subject.conventions)
    else:
        check_trained(subject, case, other, y, after)


@requirement("BN-JIT-5", share=0.03, case=lambda _: cases(TRANSFORMED))
def no_tracer_escapes(subject: Subject, case: Case) -> None:
    """after nnx.jit in both modes no new tracer is alive, and the layer works eagerly"""
    layer, _, x = subject.start(case)
    alive = layer.ask("list_leaked_tracers", x, label="the call under nnx.jit")

    shapes = ", ".join(sorted(set(alive)))
    got = f"{len(alive)} alive: {shapes}"
    check_true("tracers after the transform", is_empty(alive), got=got, expected="none")
    check_evaluation(layer, case, x)
    before = layer.usable_state
    check_trained(subject, case, before, layer.train(x), layer.state)


@requirement(
    "BN-JIT-6", share=0.3, case=lambda _: cases(COMPILED), evaluate=lambda _: integers(0, 1)
)
def the_functional_form_is_right(subject: Subject, case: Case, evaluate: int) -> None:
    """jit of the layer as a pure function meets BN-TRAIN-1, BN-EMA-1, BN-EMA-2 and BN-EVAL-1"""
    layer, before, x = subject.start(case)
    label = "jax.jit of the layer as a function of its state"
    y, other = layer.ask("call_pure", x, bool(evaluate), label=label)
    after = layer.at(other).state

    check_kept(after, before, "as before", names=ARRAYS if evaluate else PARAMETERS)
    rule = "as before: the call was on a copy of its state"
    check_kept(layer.state, before, rule, of=" of the layer taken apart")
    if evaluate:
        check_evaluated(case.config, before, case.x, as_array("y", y), subject.conventions)
    else:
        check_trained(subject, case, before, as_array("y", y), after)


@requirement(
    "BN-JIT-7", share=0.15, drawn=lambda _: streams(TRANSFORMED), fresh=lambda _: integers(0, 2)
)
def donated_state_is_replaced(subject: Subject, drawn: Stream, fresh: int) -> None:
    """with the module donated, n compiled calls are n steps, and evaluation follows"""
    layer = subject.build(drawn.case.config, None if fresh else drawn.case.state)
    before = layer.usable_state
    model = RunningStatsModel.from_state(drawn.case.config, before, subject.conventions)

    for batch in (drawn.case.x, *drawn.following):
        donated = {"label": "the call under nnx.jit", "detail": "the module donated"}
        layer.do("train_donated", batch, **donated)
        model.train(batch)
        model.check_statistics(layer.state)
    check_evaluation(layer, drawn.case, subject.input(drawn.case))
