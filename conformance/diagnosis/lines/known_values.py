"""Recognizes values among many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64
from conformance.diagnosis.lines.expressions import reshape, tolerance


class KnownValues:
    """Predicted values by name, in which others are looked up."""

    def __init__(self, values: Mapping[str, Approximate]) -> None:
        by_shape: dict[tuple[int, ...], list[tuple[str, Float64, Float64]]] = {}
        for name, each in values.items():
            limit = tolerance(each)
            if limit is not None:
                by_shape.setdefault(each.shape, []).append((name, each.value, limit))
        self._stacks = {
            shape: ([name for name, _, _ in found], *_stack(found))
            for shape, found in by_shape.items()
        }

    def find(self, value: Float64) -> str | None:
        """Return the name of the first value that an array agrees with; see ``align``."""
        for shape, (names, values, limits) in self._stacks.items():
            for candidate in (value, value.T):
                found = reshape(candidate, shape)
                if found is None:
                    continue
                near = np.abs(values - found) <= limits
                at = np.flatnonzero(near.reshape(len(names), -1).all(axis=1))
                if len(at):
                    return names[int(at[0])]
        return None


def _stack(found: Iterable[tuple[str, Float64, Float64]]) -> tuple[Float64, Float64]:
    _, values, limits = zip(*found, strict=True)
    return np.stack(values), np.stack(limits)


def is_number(name: str) -> bool:
    """Return whether the name of a value is that of a plain number, such as N."""
    return name.replace(".", "").replace("e-", "").isdigit()


def anonymous(values: Iterable[Approximate]) -> KnownValues:
    """Return values that need no names."""
    return KnownValues({f"value {at}": each for at, each in enumerate(values)})
