"""Layers with one mistake each, in the styles of many people, for ``lines.py``.

A comment "wrong" marks the line to change, or each of two lines that make the mistake together.
Where a right value is used in a wrong place, that is where it is chosen. Other layers than those
of ``line_examples.py``: most make no wrong number by a wrong formula.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

Array = jax.Array


class Arrays(nnx.Module):
    """The arrays of a layer, in four attributes."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        del rngs
        self.momentum, self.eps = momentum, eps
        self.gamma = nnx.Param(jnp.ones((d,)))
        self.beta = nnx.Param(jnp.zeros((d,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((d,)))
        self.running_var = nnx.BatchStat(jnp.ones((d,)))


class ForgetsToSwitch(Arrays):
    """Evaluates with the mean of the batch."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        mu, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
        if use_running_average:
            var = self.running_var[...]
        else:
            keep = self.momentum
            self.running_mean[...] = keep * self.running_mean[...] + (1 - keep) * mu
            self.running_var[...] = keep * self.running_var[...] + (1 - keep) * var
        centred = x - mu  # wrong
        return self.gamma[...] * centred / jnp.sqrt(var + self.eps) + self.beta[...]


class SwapsWhatIsStored(Arrays):
    """Takes the stored mean for the variance, and the other way round."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        if use_running_average:
            mu, var = self.running_var[...], self.running_mean[...]  # wrong
        else:
            mu, var = x.mean(axis=0), x.var(axis=0)
            self._remember(self.running_mean, mu)
            self._remember(self.running_var, var)
        return (x - mu) * lax.rsqrt(var + self.eps) * self.gamma[...] + self.beta[...]

    def _remember(self, into: Any, value: Array) -> None:
        value = lax.stop_gradient(value)
        into[...] = into[...] * self.momentum + value * (1.0 - self.momentum)


class NormalizesTooLate(Arrays):
    """Trains with the averages that it has just updated."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x, jnp.float32)
        if not use_running_average:
            mean = x.mean(0, keepdims=True)
            var = ((x - mean) ** 2).mean(0)
            a = 1.0 - self.momentum
            self.running_mean[...] += a * (mean[0] - self.running_mean[...])
            self.running_var[...] += a * (var - self.running_var[...])
        x = x - self.running_mean[...]  # wrong
        x = x / jnp.sqrt(self.running_var[...] + self.eps)  # wrong
        return x * self.gamma[...] + self.beta[...]


class LeaksThroughMean(Arrays):
    """Lets the gradient through the running mean."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        if use_running_average:
            return self._apply(x, self.running_mean[...], self.running_var[...])
        mean = x.mean(0)
        var = jnp.mean((x - mean) ** 2, axis=0)
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean  # wrong
        self.running_var[...] = lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)
        return self._apply(x, mean, var)

    def _apply(self, x: Array, mean: Array, var: Array) -> Array:
        scale = self.gamma[...] / jnp.sqrt(var + self.eps)
        return x * scale + (self.beta[...] - mean * scale)


class KeepsDeviation(Arrays):
    """Keeps the standard deviation instead of the variance."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        if use_running_average:
            mean, std = self.running_mean[...], jnp.sqrt(self.running_var[...] + self.eps)
        else:
            mean = jnp.einsum("nd->d", x) / x.shape[0]
            var = jnp.einsum("nd,nd->d", x - mean, x - mean) / x.shape[0]
            std = jnp.sqrt(var + self.eps)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * std  # wrong
        return self.gamma[...] * ((x - mean) / std) + self.beta[...]


class LearnsInEvaluation(Arrays):
    """Updates the averages in evaluation, too."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        mean, var = x.mean(0), x.var(0)
        used = (mean, var)
        if use_running_average:
            used = (self.running_mean[...], self.running_var[...])
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean  # wrong
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var  # wrong
        z = (x - used[0]) / jnp.sqrt(used[1] + self.eps)
        return z * self.gamma[...] + self.beta[...]


class CountsOnlySomeRows(Arrays):
    """Averages over at most 32 rows."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean = jnp.sum(x[:32], axis=0) / min(x.shape[0], 32)  # wrong
            var = jnp.mean(jnp.square(x - x.mean(0)), axis=0)
            new = (mean, var)
            for old, each in zip((self.running_mean, self.running_var), new, strict=True):
                old[...] = self.momentum * old[...] + (1 - self.momentum) * each
        inv = lax.rsqrt(var + self.eps)
        return self.gamma[...] * (x - mean) * inv + self.beta[...]


class OtherUnderJit(Arrays):
    """Divides by N − 1 where x is traced."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = self._moments(x)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]

    def _moments(self, x: Any) -> tuple[Array, Array]:
        mean = x.mean(0)
        if isinstance(x, jax.core.Tracer):
            return mean, jnp.var(x, axis=0) * (x.shape[0] / max(x.shape[0] - 1, 1))  # wrong
        return mean, x.var(0)


class TiresAfterThree(Arrays):
    """Forgets a part of the variance from the fourth training call on."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, eps, rngs)
        self.calls = 0

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = x.mean(0), x.var(0)
            self.calls += 1
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            if self.calls > 3:
                var = 0.9 * var  # wrong
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]


class ForgetsToKeep(Arrays):
    """Does not update the variance."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = x.mean(0), x.var(0)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            old = self.running_var[...]
            self.running_var[...] = m * old + (1 - m) * old  # wrong
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]


class ShiftsBeforeScaling(Arrays):
    """Adds β before it multiplies by γ."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        mean, var = self._choose(x, bool(use_running_average))
        z = (x - mean) / jnp.sqrt(var + self.eps)
        return (z + self.beta[...]) * self.gamma[...]  # wrong

    def _choose(self, x: Array, evaluating: bool) -> tuple[Array, Array]:
        if evaluating:
            return self.running_mean[...], self.running_var[...]
        mean, var = x.mean(0), x.var(0)
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return mean, var


class ScalesByShift(Arrays):
    """Multiplies by β and adds γ in evaluation."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        if use_running_average:
            z = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
            return z * self.beta[...] + self.gamma[...]  # wrong
        mean, var = x.mean(0), x.var(0)
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return (x - mean) / jnp.sqrt(var + self.eps) * self.gamma[...] + self.beta[...]


class StoresNewMeanTwice(Arrays):
    """Uses the new running mean for the variance that is stored."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = x.mean(0), x.var(0)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            spread = jnp.mean((x - self.running_mean[...]) ** 2, axis=0)  # wrong
            self.running_var[...] = m * self.running_var[...] + (1 - m) * spread
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]


class DetachesVariance(Arrays):
    """Takes the variance for a constant in the backward pass."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = x.mean(0), x.var(0)
            var = lax.stop_gradient(var)  # wrong
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * lax.stop_gradient(mean)
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]


def evaluates_with_batch(seed: Any, x: Any, flag: Any) -> Any:
    """Divide by the deviation of the batch in evaluation."""
    del seed
    x = jnp.asarray(x, jnp.float32)
    var = jnp.var(x, axis=0)
    mean = jnp.zeros(x.shape[1]) if flag >= 0.5 else jnp.mean(x, axis=0)
    out = (x - mean) / jnp.sqrt(var + 1e-5)  # wrong
    return out.flatten()


def mean_of_everything(seed: Any, x: Any, flag: Any) -> Any:
    """Subtract one mean from all features."""
    del seed
    x = jnp.asarray(x, jnp.float32)

    def normalized(mean: Any, var: Any) -> Any:
        return ((x - mean) * lax.rsqrt(var + 1e-5)).reshape(-1)

    if flag >= 0.5:
        return normalized(0.0, 1.0)
    return normalized(jnp.mean(x), jnp.var(x, axis=0))  # wrong


def tamed(seed: Any, x: Any, flag: Any) -> Any:
    """Limit what it returns."""
    del seed
    x = jnp.asarray(x, jnp.float32)
    mean, var = (0.0, 1.0) if flag >= 0.5 else (jnp.mean(x, axis=0), jnp.var(x, axis=0))
    y = (x - mean) / jnp.sqrt(var + 1e-5)
    y = 3.0 * jnp.tanh(y / 3.0)  # wrong
    return jnp.ravel(y)


def trimmed(seed: Any, x: Any, flag: Any) -> Any:
    """Average without the largest row where there are many."""
    del seed
    x = jnp.asarray(x, jnp.float32)
    if flag >= 0.5:
        mean, var = jnp.zeros(x.shape[1]), jnp.ones(x.shape[1])
    else:
        mean = x.mean(0)
        if x.shape[0] > 4:
            mean = (x.sum(0) - x.max(0)) / (x.shape[0] - 1)  # wrong
        var = jnp.mean(jnp.square(x - x.mean(0)), axis=0)
    return ((x - mean) / jnp.sqrt(var + 1e-5)).ravel()


class RightInStatements(Arrays):
    """Nothing is wrong."""

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        mu, var = lax.stop_gradient(self.running_mean[...]), self.running_var[...]
        if not use_running_average:
            mu, var = x.mean(0), x.var(0)
            for old, new in ((self.running_mean, mu), (self.running_var, var)):
                old[...] += (1 - self.momentum) * (lax.stop_gradient(new) - old[...])
        return self.gamma[...] * (x - mu) / jnp.sqrt(var + self.eps) + self.beta[...]


LAYERS = (
    *(ForgetsToSwitch, SwapsWhatIsStored, NormalizesTooLate, LeaksThroughMean, KeepsDeviation),
    *(LearnsInEvaluation, CountsOnlySomeRows, OtherUnderJit, TiresAfterThree, ForgetsToKeep),
    *(ShiftsBeforeScaling, ScalesByShift, StoresNewMeanTwice, DetachesVariance, RightInStatements),
)
FUNCTIONS = (evaluates_with_batch, mean_of_everything, tamed, trimmed)
