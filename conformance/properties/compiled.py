"""JIT and VMAP: the compiled layer, and a stack of layers.

A new configuration compiles, so these draw from ``palette.COMPILED``: few shapes and
configurations, many values.
"""

from __future__ import annotations

import numpy as np

from conformance.adapters.placing import placed
from conformance.case import Case
from conformance.checks import check_true
from conformance.layers import ARRAYS, PARAMETERS
from conformance.properties.claims import check_evaluated, check_kept, check_trained
from conformance.properties.history import Model
from conformance.properties.registry import requirement
from conformance.properties.transforming import compiled, transforms_of
from conformance.strategies.cases import Stream, cases, ensembles, streams
from conformance.strategies.palette import COMPILED
from conformance.strategies.source import choices
from conformance.subject import Subject, as_numpy, calling


@requirement(
    "BN-JIT-1", share=0.5, case=lambda _: cases(COMPILED), evaluate=lambda _: choices(0, 1)
)
def jit_gives_the_right_results(subject: Subject, case: Case, evaluate: int) -> None:
    """jit(layer)(x) meets BN-TRAIN-1, BN-EMA-1, BN-EMA-2 and BN-EVAL-1"""
    layer, before, x = subject.start(case)
    y = compiled(subject, layer, x, evaluate=bool(evaluate))

    after, kept = layer.state, ARRAYS if evaluate else PARAMETERS
    check_kept(after, before, "as before the compiled call", names=kept)
    if evaluate:
        check_evaluated(case.config, before, case.x, y)
    else:
        check_trained(subject, case, before, y, after, what="y under jit")


@requirement("BN-JIT-2", share=0.4, drawn=lambda _: streams(COMPILED))
def updates_leave_the_jitted_function(subject: Subject, drawn: Stream) -> None:
    """n compiled calls are n steps of the recursion"""
    layer, before, _ = subject.start(drawn.case)
    model = Model.starting(drawn.case.config, before, subject.accuracy)

    for batch in (drawn.case.x, *drawn.following):
        compiled(subject, layer, batch, evaluate=False)
        model.train(batch)
        model.check_statistics(layer.state)


TRACES = 2
"""One per mode; a state that settles after its first update may cost one more in each."""


@requirement("BN-JIT-3", share=0.08, drawn=lambda _: streams(COMPILED, min_size=4))
def one_trace_per_mode(subject: Subject, drawn: Stream) -> None:
    """after the second call of each mode nothing is traced again, and each mode is right"""
    case = drawn.case
    layer, before, _ = subject.start(case)
    traced: list[bool] = []
    transforms = transforms_of(subject, layer)
    jitted = transforms.jitted_anew(traced)
    model = Model.starting(case.config, before, subject.accuracy)
    for batch in (case.x, *drawn.following):
        with calling(f"the call under {transforms.library}.jit"):
            jitted(batch, False)
            y = as_numpy("y", jitted(batch, True))
        model.train(batch)
        model.check_statistics(layer.state)
        check_evaluated(case.config, layer.usable_state, batch, y)

    for flag, mode in ((False, "training"), (True, "evaluation")):
        count = traced.count(flag)
        calls = 1 + len(drawn.following)
        got = f"{count} traces in {calls} calls"
        what = f"traces of {mode} on one shape"
        check_true(what, count <= TRACES, got=got, expected="1")


@requirement(
    "BN-VMAP-1",
    share=0.2,
    lanes=lambda _: ensembles(COMPILED),
    evaluate=lambda _: choices(0, 1),
)
def a_stack_of_layers_equals_the_loop(subject: Subject, lanes: list[Case], evaluate: int) -> None:
    """vmap(layer)(stack, xs)[i] = layer_i(x_i), and each lane has its own statistics"""
    layers = [subject.start(case)[0] for case in lanes]
    before = [layer.usable_state for layer in layers]
    transforms = transforms_of(subject, layers[0])
    under = f"{transforms.library}.vmap"
    with calling(f"{under} over a stack of layers"):
        others = [layer.layer for layer in layers[1:]]
        xs = placed(np.stack([case.x for case in lanes]))[0]
        mapped, stacked = transforms.stacked(others, xs, evaluate=bool(evaluate))
        ys = np.array(mapped)
    after = layers[0].holding(stacked).state

    for lane, case in enumerate(lanes):
        start, end, y, of = before[lane], after.take(lane), ys[lane], f" of lane {lane}"
        kept = ARRAYS if evaluate else PARAMETERS
        check_kept(end, start, f"as before the call under {under}", names=kept, of=of)
        if evaluate:
            check_evaluated(case.config, start, case.x, y)
        else:
            check_trained(subject, case, start, y, end, what=f"y{of}", of=of)
