"""VMAP, SCAN, REMAT, SHARED, SHAPE-EVAL: the layer under transforms, and used more than once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from conformance.adapters.protocols import ARRAYS, PARAMETERS
from conformance.numerics import bounds
from conformance.properties.support.checks import check_same, check_true, check_within
from conformance.properties.support.claims import (
    check_evaluated,
    check_evaluation,
    check_kept,
    check_trained,
)
from conformance.properties.support.differentiation import (
    check_gradient,
    check_present,
    expected_gradients,
)
from conformance.properties.support.module_facts import as_shape
from conformance.properties.support.optimizer import (
    DECAY,
    OTHER_EPS,
    OTHER_MOMENTUM,
    RATES,
    check_descended,
)
from conformance.properties.support.property import requirement
from conformance.properties.support.running_stats_model import RunningStatsModel
from conformance.properties.support.session import as_array
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.case import Case
from conformance.strategies.cotangents import (
    STEPS,
    Interleaved,
    Pulled,
    interleaved_cases,
    pulled_cases,
)
from conformance.strategies.palette_cases import Stream, cases, ensembles, streams
from conformance.strategies.shape_grid import COMPILED, TRANSFORMED


@requirement(
    "BN-VMAP-1", share=0.2, lanes=lambda _: ensembles(COMPILED), evaluate=lambda _: integers(0, 1)
)
def a_stack_of_layers_equals_the_loop(subject: Subject, lanes: list[Case], evaluate: int) -> None:
    """vmap(layer)(stack, xs)[i] = layer_i(x_i), and each lane has its own statistics"""
    layers = [subject.start(case)[0] for case in lanes]
    before = [layer.usable_state for layer in layers]
    under = f"{subject.session.library}.vmap"
    arguments = [each.ref for each in layers], np.stack([case.x for case in lanes]), bool(evaluate)
    label = f"{under} over a stack of layers"
    mapped, stacked = subject.session.ask("call_stacked", *arguments, label=label)
    ys, after = as_array("y", mapped), layers[0].at(stacked).state

    for lane, case in enumerate(lanes):
        start, end, y, of = before[lane], after.take(lane), ys[lane], f" of lane {lane}"
        kept = ARRAYS if evaluate else PARAMETERS
        check_kept(end, start, f"as before the call under {under}", names=kept, of=of)
        if evaluate:
            check_evaluated(case.config, start, case.x, y, subject.conventions)
        else:
            check_trained(subject, case, start, y, end, what=f"y{of}", of=of)


@requirement("BN-VMAP-2", share=0.2, drawn=lambda _: streams(TRANSFORMED, min_size=3, max_size=3))
def lanes_share_nothing(subject: Subject, drawn: Stream) -> None:
    """vmap over batches: each lane is normalised, and moves the statistics, by itself"""
    case = drawn.case
    layer, before, _ = subject.start(case)
    batches = [case.x, *drawn.following]
    xs = np.stack(batches)
    evaluated = layer.ask("evaluate_lanes", xs, label="vmap over batches in evaluation")
    trained, states = layer.ask("train_lanes", xs, label="jax.vmap over batches in training")

    for lane, batch in enumerate(batches):
        for ys in evaluated:
            y = as_array("y", ys)[lane]
            check_evaluated(case.config, before, batch, y, subject.conventions)
        y, after = as_array("y", trained)[lane], layer.at(states[lane]).state
        check_trained(subject, case.with_x(batch), before, y, after)


ROUNDS = 50
"""How often a long scan goes through its four batches: 200 steps."""


@requirement(
    "BN-SCAN-1",
    share=0.12,
    drawn=lambda _: streams(TRANSFORMED, min_size=4, max_size=4),
    long=lambda _: integers(0, 4),
)
def a_scan_is_a_loop(subject: Subject, drawn: Stream, long: int) -> None:
    """a scan over T batches, few or hundreds: T steps of the recursion, and the y of each"""
    case = drawn.case
    layer, before, _ = subject.start(case)
    batches = [case.x, *drawn.following]
    rounds = ROUNDS if long == 4 else 1
    xs, label = np.stack(batches * rounds), f"{subject.session.library}.scan over batches"
    ys = as_array("y", layer.ask("train_scanned", xs, label=label))

    model = RunningStatsModel.from_state(case.config, before, subject.conventions)
    outputs: list[tuple[Any, Any]] = []
    for at, batch in enumerate(batches * rounds):
        model.train(batch)
        if at < len(batches) or subject.conventions.normalises_with_average():
            outputs.append(model.output(batch, before))
        else:
            outputs.append(outputs[at - len(batches)])
        check_within(f"y of step {at}", ys[at], *outputs[at])
    model.check_statistics(layer.state)
    check_evaluation(layer, case, subject.input(case))


@requirement("BN-REMAT-1", share=0.12, drawn=lambda _: pulled_cases(TRANSFORMED))
def rematerialization_changes_nothing(subject: Subject, drawn: Pulled) -> None:
    """the gradient of a rematerialised call: the gradients of BN-GRAD-1 and 2, and one update"""
    case, w = drawn.case, drawn.w
    layer, before, x = subject.start(case)
    label = "differentiating a rematerialised call"
    names = subject.conventions.present(PARAMETERS)
    got = check_present(layer.ask("differentiate_rematerialized", x, w, label=label), names)

    expected = expected_gradients(subject, before, case, w, evaluate=False)
    for name in names:
        check_gradient(name, got, expected, "training under remat")
    model = RunningStatsModel.from_state(case.config, before, subject.conventions)
    model.train(case.x)
    model.check_statistics(layer.state)


@requirement("BN-SHARED-1", share=0.12, case=lambda _: cases(TRANSFORMED))
def a_shared_layer_updates_at_each_use(subject: Subject, case: Case) -> None:
    """y = layer(layer(x)): two steps of the recursion, the second with the first y"""
    layer, before, x = subject.start(case)
    model = RunningStatsModel.from_state(case.config, before, subject.conventions)
    first = layer.train(x)
    layer.train(first)
    model.train(case.x)
    model.train(first.astype(np.float32))
    model.check_statistics(layer.state)

    again, start, _ = subject.start(case)
    label = f"a layer used twice under {subject.session.library}.jit"
    inner = as_array("the first y", again.ask("train_twice", x, label=label))
    model = RunningStatsModel.from_state(case.config, start, subject.conventions)
    model.train(case.x)
    rounding = bounds.train(case.config, start, case.x, subject.conventions).y
    model.train(inner.astype(np.float32), inaccurate_by=rounding + rounding)
    model.check_statistics(again.state)


@requirement("BN-SHAPE-EVAL-1", share=0.05, case=cases)
def the_layer_exists_abstractly(subject: Subject, case: Case) -> None:
    """nnx.eval_shape of the constructor, jax.eval_shape of a call: shapes and dtypes"""
    layer, before, x = subject.start(case)
    config = case.config.features, case.config.momentum, case.config.eps
    label = "nnx.eval_shape of the constructor"
    abstract = layer.ask("build_abstractly", *config, label=label)
    for name in subject.conventions.present():
        if name not in abstract:
            layer.report_missing(name, abstract)
        found = abstract[name]
        got, wanted = found["title"], "a shape and a dtype"
        check_true(name, found["is_abstract"], got=got, expected=wanted)
        check_same(f"shape of {name}", as_shape(found["shape"]), (case.config.features,))
        check_same(f"dtype of {name}", found["dtype"], str(before.arrays()[name].dtype))
    for flag in (False, True):
        y = layer.ask("call_abstractly", x, flag, label="jax.eval_shape of a call")
        check_same("shape of y", as_shape(y["shape"]), case.x.shape)
        check_same("dtype of y", y["dtype"], subject.conventions.output_dtype() or "float32")


@requirement(
    "BN-SHARED-2",
    share=0.12,
    drawn=lambda _: interleaved_cases(STEPS[:1]),
    rate=lambda _: integers(0, len(RATES) - 1),
)
def uses_add_up_and_layers_do_not_mix(subject: Subject, drawn: Interleaved, rate: int) -> None:
    """loss = Σ w·a(x) + Σ w*·a(x*) + Σ w·b(x*): one optimiser step, 2 and 1 updates"""
    case, state, x, w, other = drawn
    again = replace(case, x=x)
    config = replace(case.config, momentum=OTHER_MOMENTUM, eps=OTHER_EPS)
    config = subject.implementation.design.configured(config)
    beside = replace(again, state=state, config=config)
    first, before, _ = subject.start(case)
    second, start, _ = subject.start(beside)
    label = "a step of nnx.Optimizer on a model of two layers, under nnx.jit"
    arguments = second.ref, [case.x, x], [w, other], RATES[rate], DECAY
    first.do("step_of_two", *arguments, label=label)

    pulled = [
        expected_gradients(subject, before, each, cotangent, evaluate=False)
        for each, cotangent in ((case, w), (again, other))
    ]
    check_descended(first.state, before, pulled, RATES[rate], of=" of the layer used twice")
    alone = expected_gradients(subject, start, beside, w, evaluate=False)
    check_descended(second.state, start, [alone], RATES[rate], of=" of the other layer")
    for layer, owner, origin, batches in (
        (first, case.config, before, (case.x, x)),
        (second, config, start, (x,)),
    ):
        model = RunningStatsModel.from_state(owner, origin, subject.conventions)
        for batch in batches:
            model.train(batch)
        model.check_statistics(layer.state)
