"""The four arrays of a layer as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import ARRAYS

AnyArray = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A copy of the four arrays of a layer.

    Attributes:
        gamma: γ, (D,).
        beta: β, (D,).
        running_mean: rm, (D,).
        running_var: rv, (D,).
        count: The number of updates behind the running statistics, where a declared deviation
            makes it matter; None, as in every state that is drawn, stands for any number.
    """

    gamma: npt.NDArray[Any]
    beta: npt.NDArray[Any]
    running_mean: npt.NDArray[Any]
    running_var: npt.NDArray[Any]
    count: Any = field(default=None, metadata={"drawn": False})

    @classmethod
    def fresh(cls, features: int) -> State:
        """Return the state that a fresh layer must have: 1, 0, 0, 1.

        Args:
            features: D.
        """
        ones, zeros = np.ones(features, np.float32), np.zeros(features, np.float32)
        return cls(ones, zeros, zeros.copy(), ones.copy())

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the four arrays, each (D,), by name."""
        return {name: getattr(self, name) for name in ARRAYS}

    def take(self, columns: Any) -> State:
        """Return the state of the chosen features, or of one lane, in the given order.

        Args:
            columns: An index of the first axis: features, or one of several lanes.
        """
        count = self.count[columns] if np.ndim(self.count) else self.count
        arrays = {name: array[columns] for name, array in self.arrays().items()}
        return State(**arrays, count=count)

    def replace(self, **arrays: Any) -> State:
        """Return a copy with some arrays replaced."""
        return replace(self, **arrays)
