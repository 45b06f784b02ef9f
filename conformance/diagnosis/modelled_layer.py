"""Alternatives as layers: the code that diagnoses a mistake also makes it.

Every alternative for calls is a faulty layer in NumPy, so that a mistake that is described once
can be judged and diagnosed without a second implementation. Results are computed in float64 and
rounded to float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config
from conformance.diagnosis.approximate import exact
from conformance.diagnosis.fault_models import ALTERNATIVES
from conformance.diagnosis.reference_model import RaisesError, ReferenceModel, Steps
from conformance.numerics.state import Float32


class ModelledLayer:
    """A layer that is the reference model with replaced steps."""

    def __init__(self, config: Config, steps: Steps) -> None:
        self._model = ReferenceModel(config, steps=steps)
        self._model.write(self._model.initial_state())
        self.write(self.read())

    def __call__(self, x: Any, use_running_average: Any) -> Float32:
        """Apply the layer to x, (N, D), and return y, (N, D).

        Raises:
            ValueError: The mistake is that the call raises.
        """
        try:
            with np.errstate(all="ignore"):
                y = self._model.call(np.array(x, np.float64), use_running_average)
        except RaisesError as error:
            msg = "the modelled call raises"
            raise ValueError(msg) from error
        self.write(self.read())
        return y.value.astype(np.float32)

    def read(self) -> Mapping[str, Float32]:
        """Return the four arrays by name, (D,)."""
        with np.errstate(over="ignore"):
            return {n: a.value.astype(np.float32) for n, a in self._model.read().items()}

    def write(self, values: Mapping[str, Float32]) -> None:
        """Replace arrays, (D,), by name."""
        self._model.write({n: exact(np.asarray(a, np.float64)) for n, a in values.items()})


def modelled(identity: str) -> Implementation:
    """Return an alternative as an implementation that makes its mistake.

    Args:
        identity: The id of an alternative for calls.

    Returns:
        A layer in NumPy, with a constant from the middle of the grid; it has no gradients and is
        not compiled.

    Raises:
        ValueError: The alternative concerns gradients.
    """
    alternative = ALTERNATIVES[identity]
    if alternative.backward:
        msg = f"{identity!r} concerns gradients, which a layer in NumPy does not have"
        raise ValueError(msg)
    grid = alternative.parameter.grid if alternative.parameter else (float("nan"),)
    steps = alternative.steps(grid[len(grid) // 2])
    return Implementation(name=identity, build=lambda config: ModelledLayer(config, steps))
