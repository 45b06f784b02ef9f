"""Layers with two mistakes, written as learners and translators from other frameworks write."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from impl.combined.record import combined


class _Plain(nnx.Module):
    """The parts that nobody gets wrong."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        del rngs
        self.gamma, self.beta = nnx.Param(jnp.ones(d)), nnx.Param(jnp.zeros(d))
        self.running_mean = nnx.BatchStat(jnp.zeros(d))
        self.running_var = nnx.BatchStat(jnp.ones(d))
        self.momentum, self.eps = momentum, eps


@combined(
    "pytorch translated",
    "BN-EMA-1",
    "BN-EMA-2",
    mistakes=("pytorch-running",),
)
class PytorchTranslated(_Plain):
    """Momentum weighs the new value, and the running variance is divided by N−1: known as one."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = x.mean(axis=0), x.var(axis=0)
            n, m = x.shape[0], self.momentum
            unbiased = var * n / max(n - 1, 1)
            stop = jax.lax.stop_gradient
            self.running_mean[...] = (1 - m) * self.running_mean[...] + m * stop(mean)
            self.running_var[...] = (1 - m) * self.running_var[...] + m * stop(unbiased)
        z = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return z * self.gamma[...] + self.beta[...]


@combined(
    "standard deviation everywhere",
    "BN-EMA-2",
    "BN-EPS-1",
    mistakes=("std-stored", "eps-outside"),
)
class StandardDeviation(_Plain):
    """The standard deviation is stored as the variance, and ε is added to it.

    Evaluation takes the stored number for a variance.
    """

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if use_running_average:
            mean, std = self.running_mean[...], jnp.sqrt(self.running_var[...])
        else:
            mean, std = jnp.mean(x, axis=0), jnp.std(x, axis=0)
            m, stop = self.momentum, jax.lax.stop_gradient
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * stop(mean)
            self.running_var[...] = m * self.running_var[...] + (1 - m) * stop(std)
        return self.gamma[...] * (x - mean) / (std + self.eps) + self.beta[...]


@combined(
    "sample variance, no beta",
    "BN-TRAIN-1",
    "BN-AFF-1",
    mistakes=(("unbiased-variance-nan", "unbiased-variance"), "beta-unused"),
)
class SampleVarianceNoBeta(_Plain):
    """The variance is that of a sample, divided by N−1, and β is created but not added."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if not use_running_average:
            mean, var = jnp.mean(x, 0), jnp.var(x, 0, ddof=1)
            keep, stop = self.momentum, jax.lax.stop_gradient
            self.running_mean[...] = keep * self.running_mean[...] + (1 - keep) * stop(mean)
            self.running_var[...] = keep * self.running_var[...] + (1 - keep) * stop(var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return (x - mean) / jnp.sqrt(var + self.eps) * self.gamma[...]


@combined(
    "whole batch, momentum fixed",
    "BN-TRAIN-1",
    "BN-INIT-8",
    mistakes=("both-axes", "momentum-hard-coded"),
)
class WholeBatchFixedMomentum(_Plain):
    """The mean is one number for all features, and momentum is 0.99 whatever was asked for."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean = jnp.broadcast_to(jnp.mean(x), self.running_mean[...].shape)
            var = jnp.mean((x - mean) ** 2, axis=0)
            stop = jax.lax.stop_gradient
            self.running_mean[...] = 0.99 * self.running_mean[...] + 0.01 * stop(mean)
            self.running_var[...] = 0.99 * self.running_var[...] + 0.01 * stop(var)
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
