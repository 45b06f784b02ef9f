"""VMAP-2, SCAN, REMAT, SHARED-1 and SHAPE-EVAL: the layer under transforms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS
from conformance.numerics import bounds, oracle
from conformance.numerics.state import State
from conformance.properties.support.running_stats_model import RunningStatsModel
from conformance.properties.transforms import ROUNDS
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import (
    History,
    Live,
    check_evaluated,
    check_evaluation,
    check_trained,
    conventions_of,
    handed,
    start,
    train,
)
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case
from conformance.strategies.cases import Stream
from conformance.strategies.cotangents import Pulled


@recipe("BN-VMAP-2")
def lanes(script: Script, drawn: Stream) -> None:
    case = drawn.case
    live = start(script, case)
    batches = [script.let("x", case.with_x(batch).x) for batch in (case.x, *drawn.following)]
    script("graphdef, arrays = nnx.split(layer)", f"xs = jnp.stack([{', '.join(batches)}])")
    script("def lanes(arrays, xs, mode):")
    script("    mapped = jax.vmap(partial(merged_call, graphdef), in_axes=(None, 0, None))")
    script("    return mapped(arrays, xs, mode)")
    script("lanes = jax.jit(lanes, static_argnums=2)")
    script("evaluated_lanes = np.array(lanes(arrays, xs, True)[0])")
    script("ys, states = lanes(arrays, xs, False)")
    script("def lane(x):", "    copied = jax.tree.map(jnp.asarray, arrays)")
    script("    return merged_call(graphdef, copied, x, True)[0]")
    script("live = np.array(jax.jit(nnx.vmap(lane))(xs))")
    for i, batch in enumerate((case.x, *drawn.following)):
        check_evaluated(live, batches[i], batch, f"evaluated_lanes[{i}]", "before")
        check_evaluated(live, batches[i], batch, f"live[{i}]", "before")
        of_lane = f"jax.tree.map(lambda leaf: leaf[{i}], states)"
        after = f"read(nnx.merge(graphdef, {of_lane}))"
        bound = replace(live).trained(batch)
        check_trained(live, batches[i], "before", f"np.array(ys[{i}])", bound, after=after)


@recipe("BN-SCAN-1")
def scan(script: Script, drawn: Stream, long: int) -> None:
    case = drawn.case
    live = start(script, case)
    batches = [script.let("x", case.with_x(batch).x) for batch in (case.x, *drawn.following)]
    rounds = ROUNDS if long == 4 else 1
    listed = ", ".join(batches)
    script(f"xs = jnp.tile(jnp.stack([{listed}]), ({rounds}, 1, 1))")
    script("def step(layer, x):", "    return layer, train(layer, x)")
    script("over = nnx.scan(step, in_axes=(nnx.Carry, 0), out_axes=(nnx.Carry, 0))")
    script("ys = np.array(nnx.jit(over)(layer, xs)[1])")
    for at in range(len(batches) * rounds):
        expected = f'{live.training(batches[at % len(batches)], "before")}["y"]'
        script.within(f"y of step {at}", f"ys[{at}]", expected)
    for _ in range(rounds):
        for batch in (case.x, *drawn.following):
            live.trained(batch)
    History(live, "before", []).check_after(f"[{listed}] * {rounds}", len(batches) * rounds)
    check_evaluation(live, case)


@recipe("BN-REMAT-1")
def rematerialized(script: Script, drawn: Pulled) -> None:
    case = drawn.case
    live = start(script, case)
    x, w = script.let("x", case.x), script.let("w", drawn.w)
    script("rematerialized = nnx.jit(nnx.value_and_grad(rematerialized_loss))")
    script(f"grads = rematerialized(layer, jnp.asarray({x}), jnp.asarray({w}))[1]")
    for name in PARAMETERS:
        what = f"the gradient of {name} in training under remat"
        expected = f'gradients(x, before, {live.eps}, w, False)["{name}"]'
        script.within(what, f'of_params(layer, grads)["{name}"]', expected)
    history = History(live, "before", [])
    history.train(x)
    history.check()


@recipe("BN-SHARED-1")
def used_twice(script: Script, case: Case) -> None:
    live, x = start(script, case), handed(script, case)
    train(live, x, case.x, "first")
    train(live, "first", case.x)
    _check_twice(live, case)
    again = start(script, case, "again")
    script("twice = nnx.jit(lambda layer, x: (first := train(layer, x), train(layer, first))[0])")
    script("first = np.array(twice(again, jnp.asarray(x)))")
    _check_twice(again, case)


def _check_twice(live: Live, case: Case) -> None:
    """Compare the running statistics after two calls, the second of them with the first y.

    The bound must not depend on the y that the faulty layer returned: it is computed for a
    first y that deviates by as much as is allowed.
    """
    state = case.state or State.fresh(case.config.features)
    model = RunningStatsModel.from_state(case.config, state, conventions_of(live.script))
    model.train(case.x)
    conventions = conventions_of(live.script)
    rounding = bounds.train(case.config, state, case.x, conventions).y
    y = oracle.train(case.config, state, case.x, conventions).y.astype(np.float32)
    model.train(y, inaccurate_by=rounding + rounding)
    expected = f"follow([x, first], before, {live.momentum})"
    for name, tracked in zip(STATISTICS, (model.mean, model.var), strict=True):
        limit = bounds.Bound.of(tracked.strict, tracked.allowed)
        got = f'read({live.name})["{name}"]'
        live.script.within(f"{name} after 2 training calls", got, f'{expected}["{name}"]', limit)


@recipe("BN-SHAPE-EVAL-1")
def abstract(script: Script, case: Case) -> None:
    start(script, case)
    features, momentum, eps = case.config.features, case.config.momentum, case.config.eps
    script(f"abstract = nnx.eval_shape(lambda: construct({features}, {momentum}, {eps}))")
    for name in ARRAYS:
        held = f'held(abstract, "{name}")'
        fact = f"isinstance({held}, jax.ShapeDtypeStruct)"
        script.holds(name, fact)
        script.same(f"shape of {name}", f"tuple({held}.shape)", f"({features},)")
        script.same(f"dtype of {name}", f"str({held}.dtype)", f'str(before["{name}"].dtype)')
    script("graphdef, arrays = nnx.split(layer)")
    x = handed(script, case)
    for flag in (False, True):
        script(f"abstract_call = partial(merged_call, graphdef, use_running_average={flag})")
        script(f"y = jax.eval_shape(abstract_call, arrays, {x})[0]")
        script.same("shape of y", "tuple(y.shape)", repr(case.x.shape))
        script.same("dtype of y", "str(y.dtype)", '"float32"')
