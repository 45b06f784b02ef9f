"""Layers of frameworks whose modules keep no state: arrays in, arrays out.

Such a layer is one pure function, which calls the framework's own module, and the arrays that
it is given and gives back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.protocols import ARRAYS, COUNT, MANY, STATISTICS
from conformance.adapters.pure_transforms import PureTransforms

Held = dict[str, Any]
"""The four arrays by the suite's names, and whatever else a framework keeps with them."""

Pure = Callable[[Held, Any, Any], tuple[Any, Held]]
"""``f(held, x, use_running_average) -> (y, held after the call)``, without side effects."""


@dataclass(slots=True)
class PureLayer:
    """A pure function and what it holds now: ``COUNT`` as well, if its averages know their age."""

    pure: Pure
    held: Held

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        y, self.held = self.pure(self.held, jnp.asarray(x), use_running_average)
        return y

    def read(self) -> Held:
        return {name: self.held[name] for name in (*ARRAYS, COUNT) if name in self.held}

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        if COUNT in self.held and any(name in values for name in STATISTICS):
            values = {COUNT: np.asarray(MANY), **values}
        dtypes = {name: self.held[name].dtype for name in ARRAYS}
        given = {name: jnp.asarray(v, dtypes.get(name)) for name, v in values.items()}
        self.held = self.held | given

    def call(self, x: Any, *, evaluate: bool) -> PureCall:
        """Return the call at what the layer holds now, to be differentiated."""
        return PureCall(self.pure, self.held, jnp.asarray(x), evaluate)

    def transforms(self) -> PureTransforms:
        """Return the layer under the transforms of JAX."""
        return PureTransforms(self)


SUMS = {"running_mean": "hidden_mean", "running_var": "hidden_var"}
"""Under which the sums behind the averages are held."""


class SummedLayer(PureLayer):
    """Averages that are made of sums: writing an average writes the sum behind it, too.

    ``share``: what a sum is divided by, from the number of updates.
    """

    def __init__(self, pure: Pure, held: Held, share: Callable[[Any], Any]) -> None:
        super().__init__(pure, held)
        self.share = share

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        before = self.held
        super().write(values)
        if not any(name in values for name in STATISTICS):
            return
        count = int(self.held[COUNT])
        self.held[COUNT] = jnp.array(count)  # weakly typed, as a counter of numbers of Python
        after, share = self.held, self.share(self.held[COUNT])
        for name, hidden in SUMS.items():
            kept = count == int(before[COUNT]) and np.array_equal(after[name], before[name])
            self.held[hidden] = before[hidden] if kept else after[name] * share


@dataclass(frozen=True, slots=True)
class PureCall:
    """A call at given arrays, ready to be differentiated with respect to gamma, beta and x."""

    pure: Pure
    held: Held
    x: Any
    evaluate: bool

    def output(self, x: Any) -> Any:
        """Return y for another input."""
        return self.pure(self.held, jnp.asarray(x), self.evaluate)[0]

    def gradients(self, w: Any) -> tuple[Any, Any, Any]:
        """Return the gradients of Σ w·y, by one program compiled for shapes and mode."""
        of_gamma, of_beta, of_x = _compiled(self.pure, self.evaluate, self.held, self.x, w)
        return of_gamma, of_beta, of_x

    def pullback(self) -> Callable[[Any], tuple[Any, Any, Any]]:
        """Run the forward pass, operation by operation, and return the backward pass."""
        call = partial(_output, self.pure, self.evaluate, self.held)
        _, pullback = jax.vjp(call, self.held["gamma"], self.held["beta"], self.x)
        return lambda w: pullback(jnp.asarray(w))

    def through_statistics(self, of_mean: Any, of_var: Any) -> Any:
        """Return the gradient of Σ of_mean·rm' + Σ of_var·rv' with respect to x."""
        return _compiled_through_statistics(self.pure, self.held, self.x, (of_mean, of_var))


def _output(pure: Pure, evaluate: bool, held: Held, gamma: Any, beta: Any, x: Any) -> Any:
    return pure(held | {"gamma": gamma, "beta": beta}, x, evaluate)[0]


@partial(jax.jit, static_argnums=(0, 1))
def _compiled(pure: Pure, evaluate: bool, held: Held, x: Any, w: Any) -> Any:
    call = partial(_output, pure, evaluate, held)
    return jax.vjp(call, held["gamma"], held["beta"], x)[1](w)


@partial(jax.jit, static_argnums=0)
def _compiled_through_statistics(pure: Pure, held: Held, x: Any, cotangents: Any) -> Any:
    def statistics(x: Any) -> tuple[Any, ...]:
        after = pure(held, x, False)[1]
        return tuple(after[name] for name in STATISTICS)

    after, pullback = jax.vjp(statistics, x)
    given = (jnp.asarray(w, a.dtype) for w, a in zip(cotangents, after, strict=True))
    return pullback(tuple(given))[0]
