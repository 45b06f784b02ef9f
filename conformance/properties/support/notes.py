"""What the checks of one judgement compared, and how small an error they can see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

VISIBLE = 0.01
"""The relative error that a comparison of numbers has to see; one that does not is none."""

_LOOKED_AT = 20
"""Comparisons of a quantity and a size that are looked at for the error that they decide."""


@dataclass(slots=True)
class Notes:
    """What the checks of one judgement compared.

    Attributes:
        comparisons: How many numbers and facts were compared.
        worst: The largest error ÷ allowed bound that was accepted.
        worst_quantity: The quantity in which it was seen.
        worst_strict: The largest error ÷ strict bound, above 1 only where a declared deviation
            was needed.
        measured: Whether any number was compared with a bound.
        by_quantity: The largest error ÷ allowed bound of each quantity.
        left_out: The inputs that were not judged, each with the reason.
        missing: Why what was judged is too little for a verdict; empty if it is enough.
        large_judged: Whether a large batch was judged.
        too_large: Whether all batches so far had programs that are too large to compile.
        visible: The relative error that has to be seen in a number.
        sighted: Whether there was a number in which it is seen, or a fact other than a shape or a
            dtype.
        bounded: Whether any number had a bound, seen or not.
        rows: The number of rows of the present case; 0 if unknown.
        resolution: The smallest relative error of each quantity that a comparison still decides,
            bound ÷ scale, by the number of rows.
    """

    comparisons: int = 0
    worst: float = 0.0
    worst_quantity: str | None = None
    worst_strict: float = 0.0
    measured: bool = False
    by_quantity: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    missing: str = ""
    large_judged: bool = False
    too_large: bool = False
    visible: float = VISIBLE
    sighted: bool = False
    bounded: bool = False
    rows: int = 0
    resolution: dict[int, dict[str, float]] = field(default_factory=dict)
    _resolved: Counter[tuple[int, str]] = field(default_factory=Counter, compare=False)

    def resolve(self, quantity: str, scale: npt.NDArray[Any], allowed: npt.NDArray[Any]) -> None:
        """Note the smallest relative error of a number that a comparison still decides.

        Args:
            quantity: The name of what is compared.
            scale: What its errors are relative to, the expected numbers as a rule; 0 has no
                relative error.
            allowed: The bounds, in a shape that broadcasts with it.
        """
        self.bounded = True
        self._resolved[self.rows, quantity] += 1
        if self._resolved[self.rows, quantity] > _LOOKED_AT:
            return
        allowed, size = np.broadcast_arrays(allowed, np.abs(scale.astype(np.float64)))
        ratio = np.divide(allowed, size, out=np.full(size.shape, np.inf), where=size > 0)
        smallest = float(np.fmin.reduce(ratio, axis=None, initial=np.inf))
        if smallest < np.inf:
            found = self.resolution.setdefault(self.rows, {})
            found[quantity] = min(smallest, found.get(quantity, np.inf))
            self.sighted |= smallest <= self.visible

    @property
    def blind(self) -> bool:
        """Whether numbers were compared, and an error that has to be seen would not have been."""
        return self.bounded and not self.sighted

    def decided(self) -> dict[str, float]:
        """Return the relative error that all quantities decide, by the number of rows."""
        known = {rows: max(found.values()) for rows, found in self.resolution.items()}
        return {str(rows): float(f"{known[rows]:.2g}") for rows in sorted(known)}


_notes: ContextVar[Notes] = ContextVar("notes")


@contextmanager
def taking_notes(visible: float = VISIBLE) -> Iterator[Notes]:
    """Collect the notes of every check made inside the block.

    Args:
        visible: The relative error that has to be seen in a number.
    """
    notes = Notes(visible=visible)
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def count(comparisons: int, *, sighted: bool = True) -> Notes:
    """Add to the number of comparisons, and return the notes of the running judgement.

    Args:
        comparisons: How many numbers and facts are compared.
        sighted: Whether any error in them is seen, as in facts and in bits.
    """
    notes = _notes.get(None)
    if notes is None:
        notes = Notes()  # a check used outside a judgement still checks
    notes.comparisons += comparisons
    notes.sighted |= sighted and comparisons > 0
    return notes


def note_left_out(what: str) -> None:
    """Note an input that is not judged, and why: the verdict says it."""
    notes = count(0)
    if what not in notes.left_out:
        notes.left_out.append(what)


def note_rows(drawn: Mapping[str, Any]) -> None:
    """Note the number of rows of a case that is about to be checked.

    Args:
        drawn: The arguments of the property.
    """
    count(0).rows = next(filter(None, map(_rows_in, drawn.values())), 0)


def _rows_in(value: Any) -> int:
    """Return the number of rows of a drawn value; 0 if it has no batch."""
    if isinstance(rows := getattr(value, "rows", None), int):
        return rows
    if isinstance(x := getattr(value, "x", None), np.ndarray) and x.ndim > 1:
        return len(x)
    inside = value if isinstance(value, tuple | list) else ()
    return next(filter(None, map(_rows_in, inside)), 0)
