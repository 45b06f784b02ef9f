"""Faults of epsilon."""

from __future__ import annotations

import jax.numpy as jnp

from corpus.first.correct.base import Base


class EpsOutsideRoot(Base):
    """Epsilon is added to the standard deviation instead of the variance."""

    def root(self, var):
        # the double where keeps the gradient finite at zero variance
        pos = var > 0
        return jnp.where(pos, jnp.sqrt(jnp.where(pos, var, 1.0)), 0.0) + self.eps


class EpsAsFloor(Base):
    """Epsilon is a floor, max(var, eps), instead of an addend."""

    def root(self, var):
        return jnp.sqrt(jnp.maximum(var, self.eps))


class EpsInRunningVar(Base):
    """The running variance is fed the batch variance with epsilon already added."""

    def update(self, x, mean, var):
        super().update(x, mean, var + self.eps)


class CudnnEpsFloor(Base):
    """Epsilon below 1e-5 is silently raised to cuDNN's minimum 1e-5."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, max(eps, 1e-5), rngs)


class EpsOnlyWhenSmall(Base):
    """Epsilon is added only to the variances that are smaller than epsilon."""

    def root(self, var):
        return jnp.sqrt(jnp.where(var < self.eps, var + self.eps, var))


class EpsForgottenInEval(Base):
    """Evaluation divides by the square root of the running variance with a tiny constant in place
    of epsilon.
    """

    def eval_call(self, x):
        std = jnp.sqrt(jnp.maximum(self.running_var[...], 1e-12))
        return self.affine((x - self.running_mean[...]) / std)
