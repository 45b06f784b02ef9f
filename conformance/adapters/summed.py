"""Layers with zero-debiased averages, which are sums divided by a share: Equinox and Haiku.

Users read the average, and evaluation uses it; the sum is stored beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from conformance.adapters.protocols import ARRAYS, COUNT, STATISTICS
from conformance.adapters.pure import Arrays, Pure, PureLayer
from conformance.adapters.wide import MaskedPure

SUMS = {"running_mean": "hidden_mean", "running_var": "hidden_var"}
"""Names of the sums, each (D,), by those of the averages."""


class SummedLayer(PureLayer):
    """A layer in which writing an average also writes its sum.

    Attributes:
        share: Returns the divisor of a sum, from the number of updates.
    """

    def __init__(self, pure: Pure, arrays: Arrays, share: Callable[[Any], Any]) -> None:
        super().__init__(pure, arrays)
        self.share = share

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        before = self.arrays
        super().write(values)
        if not any(name in values for name in STATISTICS):
            return
        count = int(self.arrays[COUNT])
        self.arrays[COUNT] = jnp.array(count)  # weakly typed, like a counter of Python numbers
        after, share = self.arrays, self.share(self.arrays[COUNT])
        for name, hidden in SUMS.items():
            same = count == int(before[COUNT]) and np.array_equal(after[name], before[name])
            self.arrays[hidden] = before[hidden] if same else after[name] * share


def use_averages_as_sums(pure: Pure) -> MaskedPure:
    """Return the function of a layer after ``MANY`` updates, whose sums equal its averages.

    The function takes a mask for the sake of its signature, and ignores it.
    """

    def call(arrays: Arrays, x: Any, use_running_average: Any, mask: Any) -> tuple[Any, Arrays]:
        del mask
        sums = {hidden: arrays[name] for name, hidden in SUMS.items()}
        y, after = pure({**arrays, **sums}, x, use_running_average)
        return y, {name: after[name] for name in ARRAYS}

    return call
