"""What the suite asks of a live layer, and of one that can be differentiated or transformed.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

ARRAYS = ("gamma", "beta", "running_mean", "running_var")
"""The names by which the suite knows the four arrays of a layer."""

PARAMETERS, STATISTICS = ARRAYS[:2], ARRAYS[2:]

COUNT = "count"
"""Under which a layer whose averages know their age reads and writes the number of updates."""

MANY = 2**30
"""Updates behind statistics that are written from outside: so many that mᵗ is 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Constructor arguments of a layer.

    ``features`` is D; ``momentum`` is the weight of the old value, in [0, 1]; ``eps`` > 0 is
    added to the variance; ``seed`` feeds the random streams of frameworks that ask for one.
    """

    features: int
    momentum: float = 0.9
    eps: float = 1e-5
    seed: int = 0


@runtime_checkable
class Layer(Protocol):
    """A live layer: values in, values out, state kept inside."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        """Apply the layer to ``x`` of shape (N, D); train if the flag is false."""

    def read(self) -> Mapping[str, Any]:
        """Return the four arrays by their names in ``ARRAYS``; leave out what is missing.

        A layer whose averages know their age adds ``COUNT``, the number of their updates.
        """

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        """Replace the named arrays, as an optimiser or a restore would.

        Statistics that come without ``COUNT`` have any number of updates behind them: 2³⁰.
        """


class DifferentiableCall(Protocol):
    """A call at the arrays that a layer holds; differentiating it leaves the layer as it is."""

    def gradients(self, w: Any) -> tuple[Any, Any, Any]:
        """Return the gradients of Σ w·y with respect to gamma, beta and x."""

    def pullback(self) -> Callable[[Any], tuple[Any, Any, Any]]:
        """Run the forward pass, and return the backward pass, which can be run repeatedly."""

    def through_statistics(self, of_mean: Any, of_var: Any) -> Any:
        """Return the gradient of Σ of_mean·rm' + Σ of_var·rv' with respect to x."""


class Differentiable(Layer, Protocol):
    """A layer that knows how its calls are differentiated."""

    def call(self, x: Any, *, evaluate: bool) -> DifferentiableCall:
        """Return the call at what the layer holds now; it is not made yet."""


class Transforms(Protocol):
    """A layer under transforms of JAX, in the form that its framework has for them.

    ``library``: the package whose transforms these are, as violations name it. What trains moves
    the statistics of the layer itself, unless another layer is returned.
    """

    @property
    def library(self) -> str:
        """The name of that package."""

    def jitted(self, x: Any, *, evaluate: bool) -> Any:
        """Call the layer as one compiled program, which is kept for its shapes and mode."""

    def jitted_anew(self, traced: list[bool]) -> Callable[[Any, bool], Any]:
        """Return a function of x and the flag, compiled anew; each trace appends its flag."""

    def apart(self, x: Any, *, evaluate: bool) -> tuple[Any, Layer]:
        """Call it as a compiled function of its state; return y and a layer in the new state."""

    def stacked(self, others: Sequence[Layer], xs: Any, *, evaluate: bool) -> tuple[Any, Layer]:
        """Call it and others of its kind as one stack on (L, N, D); the new state is stacked."""

    def lanes(self, xs: Any) -> tuple[Any, list[Layer]]:
        """Train on each batch of (L, N, D) from the same state; a layer for each new state."""

    def evaluated_lanes(self, xs: Any) -> list[Any]:
        """Evaluate each batch of (L, N, D), once in each way in which the framework can."""

    def scanned(self, xs: Any) -> Any:
        """Train on the batches of (T, N, D) one after the other, in a scan; return all y."""

    def rematerialized(self, x: Any, w: Any) -> dict[str, Any]:
        """Train, recomputing for the backward pass; return the gradients of gamma and beta."""

    def twice(self, x: Any) -> Any:
        """Train on x and then on its y, in one program; return the first y."""


class Transformable(Layer, Protocol):
    """A layer that knows how it is put under transforms."""

    def transforms(self) -> Transforms:
        """Return the layer under transforms."""
