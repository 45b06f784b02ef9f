"""GRAD and SHARED-2: the gradients of a call of the layer, and the updates of an optimizer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.adapters.protocols import PARAMETERS
from conformance.properties.support.differentiation import GRADIENTS
from conformance.properties.support.optimizer import DECAY, OTHER_EPS, OTHER_MOMENTUM, RATES
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import History, Live, check_trained, handed, start
from conformance.report.reproducers.script import Script
from conformance.strategies.cotangents import Interleaved, Pulled, PulledTwice


def pulled(live: Live, x: str, w: str, *, evaluate: bool, eager: bool = False) -> str:
    """Return the text of the gradients of a layer.

    Args:
        live: The layer.
        x: The text of the batch.
        w: The text of the cotangent.
        evaluate: Whether it is an evaluation call.
        eager: Whether the gradients are computed without jit.
    """
    if eager:
        return f"pullback({live.name}, {x}, {evaluate})({w})"
    return f"compiled_gradients({live.name}, {x}, {w}, {evaluate})"


def defined(live: Live, x: str, before: str, w: str, name: str, *, evaluate: bool) -> str:
    """Return the text of one gradient by its definition.

    Args:
        live: The layer.
        x: The text of the batch, (N, D).
        before: The variable of the state.
        w: The text of the cotangent of y, (N, D).
        name: "gamma", "beta" or "x".
        evaluate: Whether it is an evaluation call.
    """
    return f'gradients({x}, {before}, {live.eps}, {w}, {evaluate})["{name}"]'


def _one_pullback(script: Script, drawn: Pulled, name: str, *, evaluate: bool) -> None:
    live, x = start(script, drawn.case), handed(script, drawn.case)
    w = script.let("w", drawn.w)
    script(f"pulled = {pulled(live, x, w, evaluate=evaluate, eager=drawn.eager)}")
    what = f"the gradient of {name} in {'evaluation' if evaluate else 'training'}"
    expected = defined(live, "x", "before", w, name, evaluate=evaluate)
    script.within(what, f'pulled["{name}"]', expected)


@recipe("BN-GRAD-1")
def of_beta(script: Script, drawn: Pulled, evaluate: int) -> None:
    _one_pullback(script, drawn, "beta", evaluate=bool(evaluate))


@recipe("BN-GRAD-2")
def of_gamma(script: Script, drawn: Pulled, evaluate: int) -> None:
    _one_pullback(script, drawn, "gamma", evaluate=bool(evaluate))


@recipe("BN-GRAD-3")
def of_x_in_training(script: Script, drawn: Pulled) -> None:
    _one_pullback(script, drawn, "x", evaluate=False)


@recipe("BN-GRAD-4")
def of_x_in_evaluation(script: Script, drawn: Pulled) -> None:
    _one_pullback(script, drawn, "x", evaluate=True)


@recipe("BN-GRAD-5")
def linear(script: Script, drawn: PulledTwice, evaluate: int) -> None:
    case, w, other, factor = drawn
    live, x = start(script, case), handed(script, case)
    names = script.let("w", w), script.let("other_w", other)
    given = (*names, " + ".join(names), f"np.float32({factor!r}) * {names[0]}")
    for name, cotangent in zip(("one", "two", "both", "multiple"), given, strict=True):
        script(f"{name} = {pulled(live, x, cotangent, evaluate=bool(evaluate))}")
    for name in GRADIENTS:
        of = f'["{name}"].astype(np.float64)'
        script.finite(f"the gradient of {name}", f"both{of}")
        script.within(f"the gradient of {name} at w + w*", f"both{of}", f"one{of} + two{of}")
        quantity = f"the gradient of {name} at {factor:g}·w"
        script.within(quantity, f"multiple{of}", f"{factor!r} * one{of}")
    mean = 'one["x"].astype(np.float64).mean(axis=0)'
    script.within("mean of the gradient of x", mean, f"np.zeros({case.config.features})")


@recipe("BN-GRAD-6")
def value_and_grad(script: Script, drawn: Pulled) -> None:
    case, w, eager = drawn
    live, x = start(script, case), handed(script, case)
    script.let("w", w)
    derived = "nnx.value_and_grad(loss)"
    if eager:
        script(f"differentiated = {derived[:-1]}, argnums=nnx.DiffState(0, nnx.Param))")
    else:
        script(f"differentiated = nnx.jit({derived})")
    script(f"grads = differentiated(layer, {x}, w)[1]")
    paths = "sorted(path for path, _ in nnx.to_flat_state(grads))"
    script.same("leaves of the gradient", paths, 'paths_of(layer, "gamma", "beta")')
    for name in PARAMETERS:
        what = f"the gradient of {name} in nnx.value_and_grad"
        expected = defined(live, "x", "before", "w", name, evaluate=False)
        script.within(what, f'of_params(layer, grads)["{name}"]', expected)
    check_trained(live, "x", "before", "", live.trained(case.x))


def _check_descended(live: Live, before: str, uses: list[tuple[str, str]], rate: float) -> None:
    """Compare gamma and beta after a step along the sum of the gradients of some uses."""
    of = {"layer": " of the layer used twice", "other": " of the other layer"}
    said = of[live.name] if len(uses) > 1 or live.name == "other" else ""
    for name in PARAMETERS:
        old = f'{before}["{name}"].astype(np.float64)'
        parts = (defined(live, x, before, w, name, evaluate=False) for x, w in uses)
        moved = f"{old} - {rate!r} * ({' + '.join(parts)} + {DECAY} * {old})"
        live.script.within(f"{name}{said} after the step", f'read({live.name})["{name}"]', moved)


@recipe("BN-GRAD-7")
def optimizer_step(script: Script, drawn: Pulled, rate: int) -> None:
    case, w, _ = drawn
    live, x = start(script, case), handed(script, case)
    script.let("w", w)
    script("def step(layer, x, w):")
    script(f"    descend(layer, nnx.grad(loss)(layer, x, w), {RATES[rate]!r}, {DECAY})")
    script(f"nnx.jit(step)(layer, {x}, w)")
    _check_descended(live, "before", [("x", "w")], RATES[rate])
    check_trained(live, "x", "before", "", live.trained(case.x))


@recipe("BN-GRAD-8")
def of_statistics(script: Script, drawn: Pulled) -> None:
    case, w, _ = drawn
    start(script, case)
    x, w_name = handed(script, case), script.let("w", w)
    script(f"pulled = gradient_of_statistics(layer, {x}, 1 + {w_name}[0], 2 - {w_name}[-1])")
    script.identical("the gradient of rm' and rv'", "pulled", "np.zeros_like(x)")


@recipe("BN-GRAD-9")
def interleaved(script: Script, drawn: Interleaved, evaluate: int) -> None:
    case, state, x, w, other = drawn
    live, mode = start(script, case), bool(evaluate)
    following = replace(case, state=state, x=x)
    first_x, second_x = handed(script, case), handed(script, following, "following")
    script(f"first = pullback(layer, {first_x}, {mode})")
    changed = script.let("changed", state)
    script(f"write(layer, {changed})", f"second = pullback(layer, {second_x}, {mode})")
    names = script.let("w", w), script.let("other_w", other)
    script(f"once = first({names[0]})", f"of_second = second({names[1]})")
    script(f"again = first({names[0]})")
    second_x = script.let("following", following.x)
    for name in GRADIENTS:
        expected = defined(live, "x", "before", names[0], name, evaluate=mode)
        script.within(f"the gradient of {name} in the first call", f'once["{name}"]', expected)
        expected = defined(live, second_x, changed, names[1], name, evaluate=mode)
        what = f"the gradient of {name} in the second call"
        script.within(what, f'of_second["{name}"]', expected)
        what = f"the gradient of {name}, pulled back again"
        script.identical(what, f'again["{name}"]', f'once["{name}"]')


@recipe("BN-SHARED-2")
def two_layers(script: Script, drawn: Interleaved, rate: int) -> None:
    case, state, x, w, other = drawn
    config = replace(case.config, momentum=OTHER_MOMENTUM, eps=OTHER_EPS)
    first = start(script, case)
    second = start(script, replace(case, x=x, state=state, config=config), "other", "other_before")
    x_first, x_second = script.let("x", case.x), script.let("following", np.asarray(x))
    names = script.let("w", w), script.let("other_w", other)
    script("def total(model, x, following, w, other_w):")
    script("    twice = loss(model[0], x, w) + loss(model[0], following, other_w)")
    script("    return twice + loss(model[1], following, w)", "def step(model, *given):")
    script(f"    descend(model, nnx.grad(total)(model, *given), {RATES[rate]!r}, {DECAY})")
    given = ", ".join((x_first, x_second, *names))
    script(f"nnx.jit(step)(nnx.List([layer, other]), {given})")
    uses = [(x_first, names[0]), (x_second, names[1])]
    _check_descended(first, "before", uses, RATES[rate])
    _check_descended(second, "other_before", [(x_second, names[0])], RATES[rate])
    History(first, "before", []).check_after(f"[{x_first}, {x_second}]", 2)
    History(second, "other_before", []).check_after(f"[{x_second}]", 1)
