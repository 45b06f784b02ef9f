"""What a model computes on the way from x to y, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, exact, rearrange, root
from conformance.diagnosis.backward_model import BackwardModel
from conformance.diagnosis.lines.expressions import align, is_clear
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.reference_model import IMPOSSIBLE, RaisesError, ReferenceModel
from conformance.diagnosis.scopes import Part, steps_of
from conformance.numerics.conventions import Conventions
from conformance.numerics.state import State

Quantities = dict[str, Approximate]

_STEPS: dict[str, tuple[str, ...]] = {
    "take_input": ("x as used",),
    "batch_mean": ("batch mean",),
    "batch_var": ("batch variance",),
    "training_statistics": ("mean in use", "variance in use"),
    "evaluation_statistics": ("mean in use", "variance in use"),
    "stored_statistics": ("stored mean", "stored variance"),
    "moved_mean": ("running mean",),
    "moved_var": ("running variance",),
    "inverse_std": ("1/√(v+ε)",),
    "normalized": ("z",),
    "affine": ("γ·z + β",),
    "finish": ("y",),
}
"""The names of what each step of the model returns."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A value that only a mistake explains.

    Attributes:
        name: The quantity.
        predicted: Its value with the mistake.
        index: Where its first clearly wrong number is.
        expected: That number without the mistake.
    """

    name: str
    predicted: Approximate
    index: tuple[int, ...]
    expected: float


def is_known(value: Approximate, known: Iterable[Approximate]) -> bool:
    """Return whether a wrong value is right for another quantity.

    Then something else than an expression is wrong, such as which statistics are passed on, and
    the expressions after it are not to blame.
    """
    return any(align(each.value, value) is not None for each in known)


def compare(name: str, value: Approximate, expected: Approximate | None) -> Wrong | None:
    """Return a value if it is clearly wrong; None if it is not, or nothing is expected."""
    if expected is None:
        return None
    with suppress(ValueError):  # of shapes that cannot be broadcast
        expected = rearrange(lambda each: np.broadcast_to(each, value.shape), expected)
    clear = is_clear(value, expected)
    if not clear.any():
        return None
    index = tuple(map(int, np.argwhere(clear)[0]))
    return Wrong(name, value, index, float(expected.value[index]))


def state_of(observation: Observation) -> State:
    """Return the state before a call; that of a forward function is a fresh one."""
    return observation.before or State.fresh(observation.config.features)


def inputs(observation: Observation) -> Quantities:
    """Return what is given to a call, and the statistics of its batch, by name."""
    call = observation.call
    assert call is not None, "a call is traced"  # noqa: S101
    x = call.x.astype(np.float64)
    before = state_of(observation)
    arrays = {name: exact(np.asarray(a, np.float64)) for name, a in before.arrays().items()}
    shape = (x.shape[1],)
    plain = {str(each): exact(np.full(shape, each)) for each in (0.0, 1.0)}
    with np.errstate(all="ignore"):
        squares = np.square(x - x.mean(0))
        batch = {"mean": exact(x.mean(0)), "squares": exact(squares), "var": exact(squares.mean(0))}
    return {**arrays, **plain, **batch, "x": exact(x)}


def quantities(
    parts: Sequence[Part], conventions: Conventions, observation: Observation
) -> Quantities:
    """Return what a call computes by name, in order; a form of a quantity counts as another one.

    Args:
        parts: The mistakes that the model makes.
        conventions: What the implementation declares.
        observation: The call of a layer and the state before it, or of a forward function.
    """
    call, before = observation.call, state_of(observation)
    assert call is not None, "a call is traced"  # noqa: S101
    model = BackwardModel(observation.config, conventions)
    model.install(steps_of(parts, observation))
    model.calls, model.container = observation.earlier, "jax"
    model.write(before)
    found: Quantities = {}
    for step, names in _STEPS.items():
        model.__dict__[step] = _record(getattr(model, step), names, found)
    with np.errstate(all="ignore"):
        try:
            if observation.before is None:
                model.forwarding = True
                model.forward(call.seed, call.x.astype(np.float64), call.flag)
            else:
                model.call(call.x.astype(np.float64), call.flag, compiled=True)
        except (RaisesError, *IMPOSSIBLE):
            return {}
        return dict(_with_terms(found, model, before))


def _record(
    step: Callable[..., Any], names: tuple[str, ...], found: Quantities
) -> Callable[..., Any]:
    """Return a step that records what it returns."""

    def recorded(*arguments: Any) -> Any:
        if names == ("z",):
            found.setdefault("x − mean", exact(arguments[0]) - arguments[1])
        returned = step(*arguments)
        values = returned if len(names) > 1 else (returned,)
        for name, value in zip(names, values, strict=True):
            found.setdefault(name, exact(value))
        return returned

    return recorded


def _with_terms(
    found: Quantities, model: BackwardModel, before: State
) -> Iterator[tuple[str, Approximate]]:
    """Yield quantities, and the terms of which a layer may compute them."""
    kept = ReferenceModel.weight_of_old(model)
    arrays = {name: exact(np.asarray(a, np.float64)) for name, a in before.arrays().items()}
    for name, value in found.items():
        yield name, value
        if name in {"batch variance", "variance in use"}:
            yield f"√({name})", root(value)
        elif name == "running mean" and kept < 1:
            yield "new mean", (value - kept * arrays["running_mean"]) / (1 - kept)
        elif name == "running variance" and kept < 1:
            yield "new variance", (value - kept * arrays["running_var"]) / (1 - kept)
            yield "√(running variance)", root(value)
        elif name == "1/√(v+ε)":
            deviation = 1 / value
            yield "√(v+ε)", deviation
            yield "v + ε", deviation * deviation
            yield "v", deviation * deviation - model.eps
        elif name == "γ·z + β":
            yield "z as scaled", (value - arrays["beta"]) / arrays["gamma"]
