"""Batch Normalization in plain NumPy, right and wrong: subjects that need no framework."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config
from conformance.numerics.state import State
from conformance.properties.support.subject import Subject
from conformance.requirements.deviations import Deviation


class NumpyNorm:
    """A conforming layer; each subclass below changes one step."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.arrays = State.fresh(config.features).arrays()

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        x = np.asarray(x, np.float32)
        with np.errstate(all="ignore"):
            if use_running_average:
                mean, var = self.arrays["running_mean"], self.arrays["running_var"]
            else:
                mean, var = self.statistics(x)
                for name, new in (("running_mean", mean), ("running_var", var)):
                    self.arrays[name] = self.update(self.arrays[name], new)
            z = (x - mean) / np.sqrt(var + np.float32(self.config.eps))
            return self.arrays["gamma"] * z + self.arrays["beta"]

    def statistics(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = x.mean(axis=0)
        return mean, np.square(x - mean).mean(axis=0)

    def update(self, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        kept = np.float32(self.config.momentum)
        return kept * old + (np.float32(1) - kept) * new

    def read(self) -> dict[str, np.ndarray]:
        return {name: array.copy() for name, array in self.arrays.items()}

    def write(self, values: dict[str, np.ndarray]) -> None:
        self.arrays |= {name: array.copy() for name, array in values.items()}


class SwappedMomentum(NumpyNorm):
    """Momentum is the weight of the new value."""

    def update(self, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return super().update(new, old)


class Unbiased(NumpyNorm):
    """The variance is divided by N−1."""

    def statistics(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = x.mean(axis=0)
        return mean, np.square(x - mean).sum(axis=0) / np.float32(len(x) - 1)


class OnePass(NumpyNorm):
    """The variance is E[x²] − E[x]²."""

    def statistics(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = x.mean(axis=0)
        return mean, np.maximum(np.square(x).mean(axis=0) - mean**2, 0)


class Refusing(NumpyNorm):
    """Every call raises."""

    def __call__(self, *_: Any) -> Any:
        msg = "no can do"
        raise RuntimeError(msg)


class Silent(NumpyNorm):
    """A call returns nothing."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        super().__call__(x, use_running_average)


def implementation(
    layer: type[NumpyNorm] = NumpyNorm, deviations: Iterable[Deviation] = (), **rest: Any
) -> Implementation:
    """Return the implementation that a layer class is."""
    return Implementation(
        name=layer.__name__, build=layer, deviations=frozenset(deviations), **rest
    )


def subject(layer: type[NumpyNorm] = NumpyNorm, deviations: Iterable[Deviation] = ()) -> Subject:
    """Return a layer class in the hands of the suite."""
    return Subject(implementation(layer, deviations))
