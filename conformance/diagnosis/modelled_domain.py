"""Operations on modelled layers of the extended domain: several axes, and masks."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.values import Impossible, Live
from conformance.adapters.protocols import Config
from conformance.diagnosis.modelled_layer import ModelledLayer
from conformance.strategies.domain_cases import fold, unfold


@dataclass(frozen=True, slots=True)
class _Spread:
    """A layer, and the axis on which its inputs have their features."""

    layer: ModelledLayer
    axis: int


def build_with(
    implementation: Implementation, config: dict[str, Any], options: dict[str, Any], x64: bool
) -> Live | Impossible:
    """Construct a layer; see the operation of this name."""
    others = [name for name, value in options.items() if value is not None and name != "axis"]
    if others or x64:
        return Impossible("a layer in NumPy has one dtype, and no named axis")
    assert implementation.build is not None, "a model"  # noqa: S101
    axis = -1 if options["axis"] is None else options["axis"]
    made: Any = implementation.build(Config(**config))
    return Live(_Spread(made, axis))


def set_arrays(spread: _Spread, arrays: dict[str, Any]) -> Live:
    """Return a layer with other arrays, each (D,)."""
    layer = deepcopy(spread.layer)
    layer.write(arrays)
    return Live(_Spread(layer, spread.axis))


def read_arrays(spread: _Spread) -> dict[str, Any]:
    """Return the four arrays, each (D,)."""
    return dict(spread.layer.read())


def run_program(
    spread: _Spread, x: Any, w: Any, mask: Any, lanes: Any, x64: bool
) -> dict[str, Any] | Impossible:
    """Train, differentiate and evaluate; see the operation of this name."""
    if lanes is not None or x64:
        return Impossible("a layer in NumPy has one dtype, and no named axis")
    rows, around = unfold(np.asarray(x), spread.axis), _around(np.shape(x), spread.axis)
    kept = _kept(mask, np.shape(x), spread.axis)
    if kept is None or not kept.any():
        return Impossible("a mask of elements, or of no rows, is not modelled")
    trained, evaluating = deepcopy(spread.layer), deepcopy(spread.layer)
    for layer in (trained, evaluating):
        layer.spread(around if kept.all() else (), spread.axis if kept.all() else -1)

    def native(found: Any) -> Any:
        whole = np.zeros(rows.shape, np.float32)
        whole[kept] = found
        return fold(whole, around, spread.axis)

    gradients: list[Any] = []
    if w is not None:
        cotangent = unfold(np.asarray(w), spread.axis)[kept]
        *of_arrays, of_x = trained.differentiate(rows[kept], cotangent, False)
        gradients = [*(each.astype(np.float32) for each in of_arrays), native(of_x)]
    y = native(trained(rows[kept], False))
    evaluated = fold(evaluating(rows, True), around, spread.axis)
    return {"y": y, "after": trained.read(), "gradients": gradients, "evaluated": evaluated}


def _around(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return tuple(np.delete(np.array(shape), axis).tolist())


def _kept(mask: Any, shape: tuple[int, ...], axis: int) -> Any:
    """Return which rows a mask keeps, (N,); None if it does not keep or leave whole rows."""
    if mask is None:
        return np.ones(int(np.prod(_around(shape, axis))), bool)
    given = np.asarray(mask)
    if given.shape == shape[:-1]:
        given = given[..., None]
    elements = unfold(np.broadcast_to(given, shape), axis)
    return elements[:, 0] if (elements == elements[:, :1]).all() else None
