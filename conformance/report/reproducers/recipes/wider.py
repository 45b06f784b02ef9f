"""ND, MASK, TYPE and SYNC: layers with an extended domain, called in one compiled program."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapters.domain import Precision
from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS
from conformance.numerics import bounds, oracle
from conformance.numerics.state import State
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import Live, build, conventions_of
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case
from conformance.strategies.domain_cases import Folded, Masked, Spread, fold
from conformance.strategies.precision_cases import Double, Half, PulledHalf

_AXIS = "shards"


def start(script: Script, case: Case, argument: str = "", value: Any = None) -> Live:
    """Build a layer with one more constructor argument, under the layer's name for it."""
    own = script.blueprint.wider[argument] if argument else ""
    given = f"{own}={value!r}" if own and value is not None else ""
    live = build(script, case.config, case.state, arguments=given)
    script("before = read(layer)")
    return live


def call(script: Script, *arguments: str) -> None:
    """Train, differentiate and evaluate."""
    script(f"y, after, pulled, evaluated_y = results({', '.join(('layer', *arguments))})")


def compare(live: Live, x: str, w: str, rows: str = "{}", of: str = "") -> None:
    """Compare all results of a call; the format ``rows`` selects those rows that count."""
    script = live.script
    for name in PARAMETERS:
        script.identical(name, f'after["{name}"]', f'before["{name}"]')
    compare_statistics(live, x)
    y, evaluated = rows.format("y"), rows.format("evaluated_y")
    script.within(f"y in training{of}", y, f'{live.training(x, "before")}["y"]')
    script.within(f"y in evaluation{of}", evaluated, live.evaluation(x, "before"))
    compare_gradients(live, x, w, rows, of)


def compare_gradients(live: Live, x: str, w: str, rows: str, of: str) -> None:
    """Compare the gradients of Σ w·y in training."""
    for name in ("x", "beta", "gamma"):
        expected = f'gradients({x}, before, {live.eps}, {w}, False)["{name}"]'
        got = f'pulled["{name}"]'
        got = rows.format(got) if name == "x" else got
        live.script.within(f"the gradient of {name} in training{of}", got, expected)


def compare_statistics(live: Live, x: str, of: str = "", after: str = "after") -> None:
    """Compare the running statistics after the training call."""
    for name in STATISTICS:
        expected = f'{live.training(x, "before")}["{name}"]'
        live.script.within(f"{name}{of}", f'{after}["{name}"]', expected)


@recipe("BN-ND-1")
def layouts(script: Script, drawn: Folded) -> None:
    named = bool(script.blueprint.wider["axis"])
    axis = drawn.axis if named else -1
    live = start(script, drawn.case, "axis", axis)
    x, w = script.let("x", drawn.case.x), script.let("w", drawn.w)
    shape = fold(drawn.case.x, drawn.around, axis).shape

    def folded(rows: str) -> str:
        spread_out = f"{rows}.reshape({(*drawn.around, -1)})"
        return f"np.ascontiguousarray(np.moveaxis({spread_out}, -1, {axis}))"

    call(script, folded(x), folded(w))
    for what, array in (
        ("y in training", "y"),
        ("y in evaluation", "evaluated_y"),
        ("the gradient of x", 'pulled["x"]'),
    ):
        script.same(f"shape of {what}", f"{array}.shape", repr(shape))
    of = f", as rows of x {shape} with the features on axis {axis}"
    rows = f"np.moveaxis({{}}, {axis}, -1).reshape({drawn.case.x.shape})"
    compare(live, x, w, rows, of)


def _around(script: Script, drawn: Masked) -> tuple[int, ...]:
    """Return the lengths of the axes that the rows fill in x."""
    return (script.blueprint.wider["ndim"] and drawn.around) or (len(drawn.kept),)


def _mask(script: Script, drawn: Masked, kept: str) -> str:
    """Return the text of the mask, in a shape that the layer accepts."""
    around = _around(script, drawn)
    if script.blueprint.wider["mask_by_row"]:
        return _reshaped(kept, around, (len(drawn.kept),))
    shape = (*around, drawn.case.config.features if drawn.by_element else 1)
    return f"np.ascontiguousarray(np.broadcast_to({kept}.reshape({(*around, 1)}), {shape}))"


def _reshaped(array: str, shape: tuple[int, ...], own: tuple[int, ...]) -> str:
    return array if shape == own else f"{array}.reshape({shape})"


def _given(script: Script, drawn: Masked, array: str) -> str:
    """Return the text of an array of rows, in the shape of x."""
    shape = (*_around(script, drawn), drawn.case.config.features)
    return _reshaped(array, shape, drawn.case.x.shape)


@recipe("BN-MASK-1", "BN-MASK-2")
def masked(script: Script, drawn: Masked) -> None:
    live = start(script, drawn.case)
    x, w, kept = (script.let(*each) for each in zip(("x", "w", "kept"), _of(drawn), strict=True))
    given = _given(script, drawn, x)
    call(script, given, _given(script, drawn, w), _mask(script, drawn, kept))
    for what, array in (
        ("y", "y"),
        ("the gradient of x", 'pulled["x"]'),
        ("y in evaluation", "evaluated_y"),
    ):
        script.same(f"shape of {what}", f"{array}.shape", f"{given}.shape")
    own = (*_around(script, drawn), drawn.case.config.features)
    rows = _reshaped("{}", drawn.case.x.shape, own)
    compare(live, f"{x}[{kept}]", f"{w}[{kept}]", f"{rows}[{kept}]", ", rows kept")


def _of(drawn: Masked | Spread) -> tuple[Any, ...]:
    return drawn.case.x, drawn.w, drawn.kept


@recipe("BN-MASK-3")
def nothing_kept(script: Script, drawn: Masked) -> None:
    live = start(script, drawn.case)
    x, w, kept = (script.let(*each) for each in zip(("x", "w", "kept"), _of(drawn), strict=True))
    arrays = _given(script, drawn, x), _given(script, drawn, w)
    call(script, *arrays, _mask(script, drawn, f"np.zeros_like({kept})"))
    for name in ARRAYS:
        script.finite(f"{name} after a batch without rows", f'after["{name}"]')
    negative = "running_var after a batch without rows"
    script.holds(negative, 'bool(after["running_var"].min() >= 0)')
    for name in PARAMETERS:
        script.identical(name, f'after["{name}"]', f'before["{name}"]')
    script("write(layer, after)", "before = read(layer)")
    call(script, *arrays, _mask(script, drawn, kept))
    alone = drawn.case.x[drawn.kept]
    bound = bounds.train(live.config, live.state, alone, conventions_of(script))
    for name in STATISTICS:
        expected = f'{live.training(f"{x}[{kept}]", "before")}["{name}"]'
        limit = getattr(bound, name)
        script.within(f"{name} after the next", f'after["{name}"]', expected, limit)


def _precision(script: Script, drawn: Half | PulledHalf) -> Precision:
    declared = [Precision(**each) for each in script.blueprint.wider["precisions"]]
    taken = [each for each in declared if each.x == drawn.dtype]
    if isinstance(drawn, PulledHalf):
        taken = [each for each in taken if each.y in {"float32", "float64"}]
    return taken[drawn.output % len(taken)]


def _half(script: Script, drawn: Half | PulledHalf, *w: str) -> tuple[Live, Precision]:
    chosen = _precision(script, drawn)
    live = start(script, drawn.case, "dtype", chosen.dtype)
    call(script, f"jnp.asarray({script.let('x', drawn.case.x)}, {drawn.dtype!r})", *w)
    return live, chosen


@recipe("BN-TYPE-1")
def half_precision(script: Script, drawn: Half) -> None:
    live, chosen = _half(script, drawn)
    compare_statistics(live, "x", f" from {chosen.x}")
    config, state, x = live.config, live.state, drawn.case.x
    of, trained = f" from {chosen.x} in {chosen.y}", oracle.train(config, state, x)
    limit = bounds.train(config, state, x, conventions_of(script)).y
    _where(script, bounds.representable(trained.z, trained.y, limit, state))
    expected = f'{live.training("x", "before")}["y"]'
    script.within(f"y in training{of}", "y[where]", f"{expected}[where]")
    y = oracle.evaluate(config, state, x)
    fresh = State.fresh(len(state.gamma))
    z = oracle.evaluate(config, state.replace(gamma=fresh.gamma, beta=fresh.beta), x)
    script.given.pop("where")
    _where(script, bounds.representable(z, y, bounds.evaluate(config, state, x), state))
    expected = live.evaluation("x", "before")
    script.within(f"y in evaluation{of}", "evaluated_y[where]", f"{expected}[where]")


def _where(script: Script, where: Any) -> None:
    """Write where no step towards an output can overflow."""
    script.let("where", np.asarray(where))


def _compare_dtypes(script: Script, chosen: Precision, of: str) -> None:
    for name in ARRAYS:
        for when, held in ((" of a new layer", "before"), (f" after {of}", "after")):
            got = f'str({held}["{name}"].dtype)'
            script.same(f"dtype of {name}{when}", got, repr(chosen.state))
    script.same(f"dtype of y in training on {of}", "str(y.dtype)", repr(chosen.y))
    script.same(f"dtype of y in evaluation on {of}", "str(evaluated_y.dtype)", repr(chosen.y))


@recipe("BN-TYPE-2")
def dtypes(script: Script, drawn: Half) -> None:
    _, chosen = _half(script, drawn)
    asked = "" if chosen.dtype is None else f" with dtype={chosen.dtype!r}"
    _compare_dtypes(script, chosen, f"{chosen.x}{asked}")


@recipe("BN-TYPE-4")
def half_precision_gradients(script: Script, drawn: PulledHalf) -> None:
    live, chosen = _half(script, drawn, script.let("w", drawn.w))
    config, state, x, w = live.config, live.state, drawn.case.x, drawn.w
    of = f" in training from {chosen.x}"
    expected = f"gradients(x, before, {live.eps}, w, False)"
    for name in ("beta", "gamma"):
        of_name = f'pulled["{name}"]'
        script.within(f"the gradient of {name}{of}", of_name, f'{expected}["{name}"]')
    of_x = f"the gradient of x{of}"
    script.same(f"dtype of {of_x}", 'str(pulled["x"].dtype)', repr(chosen.x))
    found = bounds.training_gradient(config, state, x, w, conventions_of(script)).x
    limit, where = bounds.narrowed_gradient(
        config, state, x, w, found, chosen.x, conventions_of(script)
    )
    _where(script, where)
    got = 'pulled["x"].astype(np.float64)[where]'
    script.within(of_x, got, f'{expected}["x"][where]', limit[where])


@recipe("BN-TYPE-3")
def double_precision(script: Script, drawn: Double) -> None:
    declared = (Precision(**each) for each in script.blueprint.wider["precisions"])
    chosen = next(each for each in declared if each.x == "float64")
    script('jax.config.update("jax_enable_x64", True)')
    live = start(script, drawn.case, "dtype", chosen.dtype)
    call(script, f"jnp.asarray({script.let('x', drawn.x)})")
    script('jax.config.update("jax_enable_x64", False)')
    _compare_dtypes(script, chosen, "float64")
    expected = live.training("x", "before", exact="decimals")
    script.within("y in training on float64", "y", f'{expected}["y"]')
    for name in STATISTICS:
        script.within(f"{name} from float64", f'after["{name}"]', f'{expected}["{name}"]')
    expected = live.evaluation("x", "before", exact="decimals")
    script.within("y in evaluation on float64", "evaluated_y", expected)


@recipe("BN-SYNC-1", "BN-SYNC-2", "BN-SYNC-3")
def shards(script: Script, drawn: Spread) -> None:
    live = start(script, drawn.case, "axis_name", _AXIS)
    x, w, kept = (script.let(*each) for each in zip(("x", "w", "kept"), _of(drawn), strict=True))
    features, count = drawn.case.x.shape[1], drawn.shards
    by_row = script.blueprint.wider["mask_by_row"]
    mask = f"{kept}.reshape({count}, -1{'' if by_row else ', 1'})"
    rows = f"({count}, -1, {features})"
    mask = "None" if drawn.kept.all() else mask
    call(
        script, f"{x}.reshape{rows}", f"{w}.reshape{rows}", mask, repr(_AXIS), str(drawn.on_devices)
    )
    of = f" of {count} {'devices' if drawn.on_devices else 'lanes'}"
    for name in ARRAYS:
        shape = f"({count}, {features})"
        script.same(f"shape of {name}{of}", f'after["{name}"].shape', shape)
    alone = f"{x}[{kept}]"
    for shard in range(1, count):
        one = f"{{name: array[{shard}] for name, array in after.items()}}"
        compare_statistics(live, alone, f" on shard {shard}{of}", one)
    spread = (count, len(drawn.kept) // count, features)
    for what, array in ((f"y in training{of}", "y"), (f"the gradient of x{of}", 'pulled["x"]')):
        script.same(f"shape of {what}", f"{array}.shape", repr(spread))
    script("after = {name: array[0] for name, array in after.items()}")
    counting = f"{{}}.reshape(-1, {features})[{kept}]"
    compare(live, alone, f"{w}[{kept}]", counting, of)
