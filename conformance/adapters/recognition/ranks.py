"""Finds out which numbers of axes a module takes, and where its features are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.adapters.calling import Calling, Layout
from conformance.adapters.errors import describe
from conformance.adapters.recognition.mode_choice import NO_MODE, Mode
from conformance.adapters.recognition.specimen import Specimen, value_of

SHAPES: Mapping[Layout, tuple[int, ...]] = {
    Layout(ndim=2): (5, 3),
    Layout(ndim=3): (4, 2, 3),
    Layout(ndim=3, first=True): (4, 3, 2),
    Layout(ndim=4): (2, 4, 5, 3),
    Layout(ndim=4, first=True): (2, 3, 4, 5),
    Layout(ndim=5): (2, 4, 5, 6, 3),
    Layout(ndim=5, first=True): (2, 3, 4, 5, 6),
}
"""Trial shapes with 3 features, and no other axis of that size: a wrong axis cannot fit."""

SQUARE: Mapping[Layout, tuple[int, ...]] = {
    Layout(ndim=2): (3, 3),
    Layout(ndim=4): (3, 3, 3, 3),
    Layout(ndim=4, first=True): (3, 3, 3, 3),
    Layout(ndim=3): (3, 3, 3),
}
"""The last resort: a layer that uses a wrong axis is called all the same, and judged."""


Failures = dict[str, list[tuple[int, ...]]]
"""Shapes of inputs, by what happened."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A shape that a module takes, and in which ways its mode may be chosen.

    Attributes:
        layout: The layout.
        shape: The shape.
        modes: The candidates with which a call in this layout works.
        complete: It works in both modes, and no axis but that of the features has its size.
    """

    layout: Layout
    shape: tuple[int, ...]
    modes: tuple[Mode, ...]
    complete: bool

    @property
    def is_square(self) -> bool:
        """Whether only a batch with as many rows as features fits."""
        return self.shape in SQUARE.values()

    def with_layout(self, mode: Mode) -> Calling:
        """Return how the module is called."""
        return replace(mode.calling, layout=self.layout)

    def spread(self, rows: np.ndarray) -> np.ndarray:
        """Return rows, (N, D), in the shape."""
        if not self.layout.first:
            return rows.reshape(self.shape)
        channels = self.shape[1]
        last = rows.reshape(self.shape[0], *self.shape[2:], channels)
        return np.ascontiguousarray(np.moveaxis(last, -1, 1))

    def gather(self, y: np.ndarray) -> np.ndarray:
        """Return an output as rows, (N, D)."""
        y = np.asarray(y, np.float64)
        if self.layout.first:
            y = np.moveaxis(y, 1, -1)
        return y.reshape(-1, y.shape[-1])


def find_fit(specimen: Specimen, modes: list[Mode], failures: Failures) -> Fit | None:
    """Return the preferred layout that a module takes, or None.

    A mode with a known name that fails is the layer's fault, and preferred to calls without one.

    Args:
        specimen: The module.
        modes: The ways in which its mode may be chosen.
        failures: Receives the shapes that it does not take, by what happens.
    """
    partial: list[Fit] = []
    for shapes in (SHAPES, SQUARE):
        failing: list[Fit] = []
        for layout, shape in shapes.items():
            full, half = _sort_modes(specimen, modes, layout, shape, failures)
            known = tuple(mode for mode in half if mode.known and mode != NO_MODE)
            if full == [NO_MODE] and known:
                failing.append(Fit(layout, shape, known, complete=False))
            elif full:
                return Fit(layout, shape, tuple(full), complete=shapes is SHAPES)
            elif half:
                partial.append(Fit(layout, shape, tuple(half), complete=False))
        if failing:
            return failing[0]
    return partial[0] if partial else None


def _sort_modes(
    specimen: Specimen,
    modes: list[Mode],
    layout: Layout,
    shape: tuple[int, ...],
    failures: Failures,
) -> tuple[list[Mode], list[Mode]]:
    """Return the candidates that work in both modes, and those that work in one of them."""
    full, half = [], []
    for mode in modes:
        problems = [_problem(specimen, mode, layout, shape, evaluate=e) for e in (False, True)]
        if problems == ["", ""]:
            full.append(mode)
        elif "" in problems:
            half.append(mode)
        elif mode is modes[0]:
            failures.setdefault(f"{problems[0]} ({mode.words})", []).append(shape)
    return full, half


def _problem(
    specimen: Specimen, mode: Mode, layout: Layout, shape: tuple[int, ...], *, evaluate: bool
) -> str:
    calling = replace(mode.calling, layout=layout)
    try:
        result = specimen.try_shape(calling, shape, evaluate=evaluate)
    except Exception as error:  # noqa: BLE001  a call may raise anything
        return describe(error)
    if result.y.shape != shape:
        return f"y has shape {result.y.shape}"
    return _changed_shape(specimen, result.after)


def _changed_shape(specimen: Specimen, after: Mapping[str, Any]) -> str:
    for path, holder in specimen.holders().items():
        before = np.shape(value_of(holder))
        if path in after and after[path].shape != before:
            return f"{path} {before} becomes {after[path].shape}"
    return ""


def prefer_spatial(
    fit: Fit, mode: Mode, further: tuple[Layout, ...]
) -> tuple[Fit, tuple[Layout, ...]]:
    """Return the layout with spatial axes that a layer of rows takes as well, and the others.

    A mistake about an axis shows there alone. It is for layers whose further axes cannot be
    declared as an extended domain.
    """
    usual = (4, 3, 5)
    spatial = sorted(further, key=lambda each: (usual.index(each.ndim), each.first))
    if fit.layout.ndim != 2 or not fit.complete or not spatial:
        return fit, further
    best = spatial[0]
    others = (fit.layout, *(each for each in further if each != best))
    return Fit(best, SHAPES[best], (mode,), complete=True), others


def list_further_layouts(specimen: Specimen, mode: Mode, fit: Fit) -> Iterator[Layout]:
    """Yield the other layouts that the module takes as well.

    Calls that JAX cannot trace cost time: of such a module only the usual layouts are tried.
    """
    for layout, shape in SHAPES.items():
        usual = not layout.first and layout.ndim < 5
        if layout != fit.layout and (usual or specimen.is_traceable):
            full, _ = _sort_modes(specimen, [mode], layout, shape, {})
            if full:
                yield layout
