"""JIT and VMAP-1: the layer under nnx.jit, jax.jit and nnx.vmap."""

from __future__ import annotations

from conformance.adapters.protocols import ARRAYS
from conformance.properties.compilation import TRACES
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import (
    History,
    build,
    check_evaluated,
    check_evaluation,
    check_trained,
    handed,
    kept_names,
    read,
    start,
    train,
)
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case
from conformance.strategies.cases import Rewritten, Stream

JITTED = "jitted = nnx.jit(call, static_argnums=2)"


@recipe("BN-JIT-1")
def one_call(script: Script, case: Case, evaluate: int) -> None:
    live, x = start(script, case), handed(script, case)
    script(JITTED, f"y = np.array(jitted(layer, {x}, {bool(evaluate)}))")
    script.kept("before", "layer", kept_names(evaluate))
    if evaluate:
        check_evaluated(live, "x", case.x, "y", "before")
    else:
        check_trained(live, "x", "before", "y", live.trained(case.x), what="y under jit")


@recipe("BN-JIT-2")
def several_calls(script: Script, drawn: Stream) -> None:
    history = History(start(script, drawn.case), "before", [])
    script(JITTED)
    for batch in (drawn.case.x, *drawn.following):
        x = script.let("x", drawn.case.with_x(batch).x)
        script(f"jitted(layer, {x}, False)")
        history.train(x)
        history.check()


@recipe("BN-JIT-3")
def traces(script: Script, drawn: Stream) -> None:
    case = drawn.case
    live = start(script, case)
    history = History(live, "before", [])
    script("traced = []")
    script("def noted(layer, x, mode):")
    script("    traced.append(mode)", "    return call(layer, x, mode)")
    script("jitted = nnx.jit(noted, static_argnums=2)")
    for batch in (case.x, *drawn.following):
        x = script.let("x", case.with_x(batch).x)
        script(f"jitted(layer, {x}, False)", f"y = np.array(jitted(layer, {x}, True))")
        history.train(x)
        live.trained(batch)
        history.check()
        check_evaluated(live, x, batch, "y", "read(layer)")
    for flag, mode in ((False, "training"), (True, "evaluation")):
        what = f"traces of {mode} on one shape"
        script.holds(what, f"traced.count({flag}) <= {TRACES}")


@recipe("BN-JIT-4")
def nothing_baked_in(script: Script, drawn: Rewritten, evaluate: int) -> None:
    case, other = drawn
    live, x = start(script, case), handed(script, case)
    script(JITTED, f"jitted(layer, {x}, {bool(evaluate)})")
    changed = script.let("changed", other)
    script(f"write(layer, {changed})", f"y = np.array(jitted(layer, {x}, {bool(evaluate)}))")
    live.state = other
    if evaluate:
        check_evaluated(live, "x", case.x, "y", changed)
    else:
        check_trained(live, "x", changed, "y", live.trained(case.x))


@recipe("BN-JIT-5")
def tracers(script: Script, case: Case) -> None:
    live, x = start(script, case), handed(script, case)
    script("def both_modes():", "    for mode in (False, True):")
    script("        jitted = nnx.jit(partial(call, use_running_average=mode))")
    script(f"        jitted(layer, {x})", "left = tracers_left_by(both_modes)")
    script.holds("tracers after the transform", "not left")
    live.trained(case.x)
    check_evaluation(live, case)
    read(live, "before")
    train(live, x, case.x, "y")
    check_trained(live, "x", "before", "y", live.trained(case.x))


@recipe("BN-JIT-6")
def functional_form(script: Script, case: Case, evaluate: int) -> None:
    live, x = start(script, case), handed(script, case)
    script("graphdef, arrays = nnx.split(layer)")
    script("functional = jax.jit(merged_call, static_argnums=(0, 3))")
    script(f"y, new = functional(graphdef, arrays, {x}, {bool(evaluate)})")
    script("merged = nnx.merge(graphdef, new)")
    script.kept("before", "merged", kept_names(evaluate))
    script.kept("before", "layer", ARRAYS, of=" of the layer taken apart")
    if evaluate:
        check_evaluated(live, "x", case.x, "np.array(y)", "before")
    else:
        bound = live.trained(case.x)
        check_trained(live, "x", "before", "np.array(y)", bound, after="read(merged)")


@recipe("BN-JIT-7")
def donated(script: Script, drawn: Stream, fresh: int) -> None:
    case = drawn.case
    live = build(script, case.config, None if fresh else case.state)
    read(live, "before")
    history = History(live, "before", [])
    script("donating = nnx.jit(train, donate_argnums=0)")
    for batch in (case.x, *drawn.following):
        x = script.let("x", case.with_x(batch).x)
        script(f"donating(layer, jnp.asarray({x}))")
        history.train(x)
        live.trained(batch)
        history.check()
    check_evaluation(live, case)


@recipe("BN-VMAP-1")
def stack(script: Script, lanes: list[Case], evaluate: int) -> None:
    lives = [start(script, case, f"layer_{i}", f"before_{i}") for i, case in enumerate(lanes)]
    names = [live.name for live in lives]
    batches = [script.let(f"x_{i}", case.x) for i, case in enumerate(lanes)]
    script(f"states = [nnx.state(each) for each in ({', '.join(names)},)]")
    script("stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)")
    script("stack = nnx.merge(nnx.graphdef(layer_0), stacked)")
    mode = "evaluate" if evaluate else "train"
    script(f"xs = jnp.stack([{', '.join(batches)}])")
    script(f"ys = np.array(nnx.jit(nnx.vmap({mode}))(stack, xs))", "after = read(stack)")
    for i, (live, case) in enumerate(zip(lives, lanes, strict=True)):
        of, before, y = f" of lane {i}", f"before_{i}", f"ys[{i}]"
        for name in kept_names(evaluate):
            script.identical(f"{name}{of}", f'after["{name}"][{i}]', f'{before}["{name}"]')
        if evaluate:
            check_evaluated(live, batches[i], case.x, y, before)
            continue
        lane = f"{{name: array[{i}] for name, array in after.items()}}"
        bound = live.trained(case.x)
        what = f"y{of}"
        check_trained(live, batches[i], before, y, bound, what=what, of=of, after=lane)
