"""Faulty gain and offset."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("gamma-unused", "BN-AFF-1")
class GammaUnused(StepwiseBatchNorm):
    """gamma is not applied."""

    def affine(self, z: Array) -> Array:
        return z + self.beta[...]


@fault("beta-unused", "BN-AFF-1", "BN-TRAIN-8")
class BetaUnused(StepwiseBatchNorm):
    """beta is not applied."""

    def affine(self, z: Array) -> Array:
        return self.gamma[...] * z


@fault("gamma-absolute", "BN-AFF-1")
class GammaAbsolute(StepwiseBatchNorm):
    """The sign of gamma is lost."""

    def affine(self, z: Array) -> Array:
        return jnp.abs(self.gamma[...]) * z + self.beta[...]


@fault("beta-before-gamma", "BN-AFF-1")
class BetaBeforeGamma(StepwiseBatchNorm):
    """beta is added before gamma is applied."""

    def affine(self, z: Array) -> Array:
        return self.gamma[...] * (z + self.beta[...])


@fault("gamma-of-the-first", "BN-AFF-1", "BN-TRAIN-4")
class GammaOfTheFirst(StepwiseBatchNorm):
    """The gamma of the first feature is applied to all."""

    def affine(self, z: Array) -> Array:
        return self.gamma[...][0] * z + self.beta[...]


@fault("gamma-zero-is-one", "BN-AFF-1")
class GammaZeroIsOne(StepwiseBatchNorm):
    """A gamma of exactly zero counts as not given."""

    def affine(self, z: Array) -> Array:
        return jnp.where(self.gamma[...] == 0, 1, self.gamma[...]) * z + self.beta[...]


@fault("gamma-captured", "BN-AFF-2", "BN-AFF-1")
class GammaCaptured(StepwiseBatchNorm):
    """gamma and beta are read once, at the first call."""

    def affine(self, z: Array) -> Array:
        if not hasattr(self, "captured"):
            self.captured: Any = nnx.static((self.gamma[...], self.beta[...]))
        gamma, beta = self.captured
        return gamma * z + beta
