"""A NumPy layer that implements the declared conventions, computed by the oracle.

A deviation is visible in cases of some kind only: a fresh layer, more than one row, a large mean.
If this layer, too, meets a requirement without the declaration, there was no such case, and
this says nothing about the declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import COUNT, MANY, STATISTICS, Config
from conformance.numerics import oracle
from conformance.numerics.conventions import Conventions
from conformance.numerics.state import Float32, State
from conformance.requirements.deviations import Deviation


class DeclaredReference:
    """The layer.

    Attributes:
        conventions: The conventions that it follows, whatever it is judged by.
        config: The arguments of its constructor by those conventions.
        state: Four arrays of (D,), and the number of updates.
    """

    def __init__(self, config: Config, conventions: Conventions) -> None:
        self.conventions = conventions
        self.config = conventions.constructed(config)
        self.dtypes = conventions.stored_dtypes()
        self.output_dtype = np.dtype(conventions.output_dtype() or "float32")
        fresh = State.fresh(config.features)
        self.state = replace(fresh, count=0, **self._stored(fresh.arrays()))

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        """Apply the layer.

        Args:
            x: The batch, (N, D).
            use_running_average: The flag.

        Returns:
            y, (N, D), in the declared dtype.

        Raises:
            ValueError: A training call on a single row, if that refusal is declared.
        """
        x32 = np.asarray(x, np.float32)
        with np.errstate(all="ignore"):
            evaluates = self.conventions.evaluates(use_running_average)
            if evaluates or self.conventions.always_evaluates():
                y = oracle.evaluate(self.config, self.state, x32, conventions=self.conventions)
                return y.astype(self.output_dtype)
            if len(x32) == 1 and self.conventions.follows(Deviation.SINGLE_ROW_REFUSED):
                msg = "a single row has no variance"
                raise ValueError(msg)
            found = self._train(x32)
            moved = {name: getattr(found, name) for name in STATISTICS}
            count = self.state.count + 1
            self.state = replace(self.state, count=count, **self._stored(moved))
            return found.y.astype(self.output_dtype)

    def _train(self, x: Float32) -> oracle.Training:
        """Return the oracle's results, with the variance of one pass if that is declared."""
        conventions = self.conventions
        found = oracle.train(self.config, self.state, x, conventions)
        if not conventions.admits_one_pass():
            return found
        var = np.maximum(np.square(x).mean(axis=0) - x.mean(axis=0) ** 2, 0).astype(np.float64)
        lost = (var - found.var) * conventions.share_stored(len(x))
        kept = conventions.weight_of_old(self.config.momentum, self.state.count)
        running_var = found.running_var + (1 - kept) * lost
        used = running_var if conventions.normalises_with_average() else var
        mean = found.running_mean if conventions.normalises_with_average() else found.mean
        y = oracle.evaluate(self.config, self.state.replace(running_mean=mean, running_var=used), x)
        return replace(found, var=var, y=y, running_var=running_var)

    def read(self) -> Mapping[str, Any]:
        """Return the four arrays, (D,), and the number of updates, by name."""
        return {**self.state.arrays(), COUNT: np.asarray(self.state.count)}

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        """Replace arrays.

        Args:
            values: Arrays by name, each (D,), and possibly the number of updates; without it,
                statistics count as those of many updates.
        """
        given = dict(values)
        count = int(given.pop(COUNT, MANY if set(STATISTICS) & given.keys() else self.state.count))
        self.state = replace(self.state, count=count, **self._stored(given))

    def _stored(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        return {name: np.asarray(array).astype(self.dtypes[name]) for name, array in arrays.items()}


def declared_reference(conventions: Conventions) -> Implementation:
    """Return the implementation that follows the conventions and declares none of them."""

    def forward(_: Any, x: Any, use_running_average: Any) -> Any:
        fresh = DeclaredReference(Config(features=np.shape(x)[1]), conventions)
        return fresh(x, use_running_average).ravel()

    return Implementation(
        name="what is declared",
        build=lambda config: DeclaredReference(config, conventions),
        forward=forward,
    )
