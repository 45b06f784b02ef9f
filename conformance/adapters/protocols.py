"""The protocols of a live layer, and of one that can be differentiated or transformed.

Imports the standard library only. In shapes, N is the number of rows, D of features, L of lanes
and T of training steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

ARRAYS = ("gamma", "beta", "running_mean", "running_var")
"""The suite's names for the four arrays of a layer, each of shape (D,)."""

PARAMETERS, STATISTICS = ARRAYS[:2], ARRAYS[2:]

NEUTRAL: Mapping[str, float] = dict(zip(ARRAYS, (1.0, 0.0, 0.0, 1.0), strict=True))
"""What a fresh layer has everywhere in an array, and what has no effect in the place of one."""

COUNT = "count"
"""The name under which a layer that counts its updates reads and writes their number."""


COMMAND = "command:"
"""The beginning of the name of a command that speaks the suite's protocol."""

PROTOCOL_SCHEMA = Path(__file__).with_name("command-protocol.json")
"""The JSON Schema of what the suite and a command send to each other."""


def is_line(shape: tuple[int, ...], features: int) -> bool:
    """Return whether an array of a shape has D numbers along one axis."""
    return len(shape) >= 1 and max(shape) == features == math.prod(shape)


MANY = 2**30
"""The count t of statistics that are written without one: so large that momentumᵗ is 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Constructor arguments of a layer.

    Attributes:
        features: D, the number of features.
        momentum: The weight of the old value in a running average, in [0, 1].
        eps: The ε > 0 that is added to the variance.
        seed: The seed of the random streams, for frameworks that need one.
    """

    features: int
    momentum: float = 0.9
    eps: float = 1e-5
    seed: int = 0


@runtime_checkable
class Layer(Protocol):
    """A live layer: values in, values out, state kept inside."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        """Apply the layer to x.

        Args:
            x: A float32 array (N, D), NumPy's or JAX's, not always contiguous.
            use_running_average: True to evaluate, false to train.

        Returns:
            y, (N, D): anything that ``np.asarray`` accepts.
        """

    def read(self) -> Mapping[str, Any]:
        """Return copies of the four arrays, (D,), by their names in ``ARRAYS``.

        Missing ones are left out. A layer that counts its updates adds their number as ``COUNT``.
        """

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        """Replace the named arrays, as an optimizer or a restored checkpoint would.

        Statistics that come without ``COUNT`` are averages of ``MANY`` updates. With a ``COUNT`` of
        0 they are those of a fresh layer: they have no weight in the next update, sums behind them
        are 0, and evaluation uses what a fresh layer uses.
        """


class DifferentiableCall(Protocol):
    """A deferred call at a layer's current arrays; differentiating it does not change the layer."""

    def gradients(self, w: Any) -> tuple[Any, Any, Any]:
        """Return the gradients of Σ w·y, w (N, D): with respect to gamma, beta and x."""

    def pullback(self) -> Callable[[Any], tuple[Any, Any, Any]]:
        """Run the forward pass, and return the backward pass as a function of w, (N, D).

        The function may be called repeatedly; it returns what ``gradients`` returns.
        """

    def through_statistics(self, of_mean: Any, of_var: Any) -> Any:
        """Return the gradient of Σ of_mean·rm' + Σ of_var·rv' with respect to x, (N, D).

        rm' and rv' are the running statistics after a training call, both (D,).

        Args:
            of_mean: The cotangent of rm', (D,).
            of_var: The cotangent of rv', (D,).
        """


class TwiceDifferentiableCall(DifferentiableCall, Protocol):
    """A deferred call that has forward mode and second derivatives, too."""

    def move_along(self, along: tuple[Any, Any, Any]) -> Any:
        """Return the derivative of y, (N, D), along tangents of gamma, beta, (D,), and x."""

    def move_linearly(self, several: Sequence[tuple[Any, Any, Any]]) -> list[Any]:
        """Return the derivatives of y along several tangents, by one linear map."""

    def differentiate_gradient(self, w: Any, t: Any, *, forward_mode: bool) -> tuple[Any, Any, Any]:
        """Return the derivatives of Σ t·dx, where dx is that of Σ w·y, for gamma, x and w.

        Args:
            w: The cotangent of y, (N, D).
            t: The cotangent of dx, or the tangent of x, (N, D).
            forward_mode: Whether the gradient is differentiated in forward mode, along t.
        """


class Differentiable(Layer, Protocol):
    """A layer whose calls can be differentiated."""

    def call(self, x: Any, *, evaluate: bool) -> DifferentiableCall:
        """Return a call at the current arrays, without making it.

        Args:
            x: The input, (N, D).
            evaluate: Whether it is an evaluation call.
        """


class Transforms(Protocol):
    """A layer under transforms of JAX, in the form that its framework has for them.

    Training calls update the layer itself, unless the method returns a layer.
    """

    @property
    def library(self) -> str:
        """Name of the package whose transforms these are, for messages."""

    def call_jitted(self, x: Any, *, evaluate: bool) -> Any:
        """Call the layer on x, (N, D), in a program that is cached by shapes and mode."""

    def compile_anew(self, traced: list[bool]) -> Callable[[Any, bool], Any]:
        """Return a newly compiled function of x and the flag; each trace appends its flag."""

    def call_pure(self, x: Any, *, evaluate: bool) -> tuple[Any, Layer]:
        """Call the layer as a compiled function of its state.

        Args:
            x: The input, (N, D).
            evaluate: Whether it is an evaluation call.

        Returns:
            y, (N, D), and a layer in the new state.
        """

    def call_stacked(
        self, others: Sequence[Layer], xs: Any, *, evaluate: bool
    ) -> tuple[Any, Layer]:
        """Call this layer and others as one stack.

        Args:
            others: L − 1 further layers.
            xs: The inputs, (L, N, D).
            evaluate: Whether it is an evaluation call.

        Returns:
            y, (L, N, D), and a layer whose arrays are the stacked new states, (L, D).
        """

    def train_lanes(self, xs: Any) -> tuple[Any, list[Layer]]:
        """Train on each batch of (L, N, D) from the same state; return y and L layers."""

    def evaluate_lanes(self, xs: Any) -> list[Any]:
        """Evaluate each batch of (L, N, D), once in each way that the framework offers."""

    def train_scanned(self, xs: Any) -> Any:
        """Train on the batches of (T, N, D) in turn, in one scan; return y, (T, N, D)."""

    def differentiate_rematerialized(self, x: Any, w: Any) -> dict[str, Any]:
        """Train on x, with the forward pass recomputed for the backward pass.

        Args:
            x: The input, (N, D).
            w: The cotangent of y, (N, D).

        Returns:
            The gradients of Σ w·y with respect to gamma and beta, (D,), by name.
        """

    def train_twice(self, x: Any) -> Any:
        """Train on x and then on its y, in one program; return the first y, (N, D)."""


class Transformable(Layer, Protocol):
    """A layer that can be put under transforms."""

    def transforms(self) -> Transforms:
        """Return the layer under transforms."""
