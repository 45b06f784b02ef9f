"""Faults of gamma and beta."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx

from corpus.first.correct.base import BakedAffine, Base


class OnePlusGamma(Base):
    """The scale is 1+gamma with gamma starting at zero."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.gamma = nnx.Param(jnp.zeros((d,), jnp.float32))

    def affine(self, h):
        return (1 + self.gamma[...]) * h + self.beta[...]


class BetaTimesInvStd(Base):
    """The fused form divides the shift by the standard deviation too."""

    def normalise(self, x, mean, var):
        g = self.gamma[...]
        return (g * (x - mean) + self.beta[...]) / self.root(var)


class SquareBatchGamma(Base):
    """When N equals D gamma is broadcast along the rows instead of the columns."""

    def affine(self, h):
        g = self.gamma[...]
        if g.shape[0] == h.shape[0]:
            g = g[:, None]
        return g * h + self.beta[...]


class AffineBakedAtInit(Base):
    """Gamma and beta are captured as constants at construction, so later values are ignored."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self._affine = BakedAffine(d)

    def affine(self, h):
        return self._affine(h)
