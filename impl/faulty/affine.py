"""Faulty gain and offset."""

from __future__ import annotations

import jax.numpy as jnp

from impl.faulty.box import Boxed
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


@fault("gamma-captured", "BN-AFF-2", diagnosed="affine-captured")
class GammaCaptured(Boxed):
    """gamma and beta are read once, at the first call."""

    def affine(self, z: Array) -> Array:
        gamma, beta = self.box.contents.setdefault("captured", (self.gamma[...], self.beta[...]))
        return gamma * z + beta


@fault("gamma-reversed", "BN-AFF-1", "BN-TRAIN-4")
class GammaReversed(StepwiseBatchNorm):
    """gamma is applied in reverse order."""

    def affine(self, z: Array) -> Array:
        return self.gamma[...][::-1] * z + self.beta[...]


@fault("gamma-plus-one", "BN-AFF-1", "BN-EVAL-4")
class GammaPlusOne(StepwiseBatchNorm):
    """gamma is taken as a difference from one."""

    def affine(self, z: Array) -> Array:
        return (1 + self.gamma[...]) * z + self.beta[...]


@fault("gamma-clipped", "BN-AFF-1")
class GammaClipped(StepwiseBatchNorm):
    """gamma is clipped to ±5000."""

    def affine(self, z: Array) -> Array:
        return jnp.clip(self.gamma[...], -5e3, 5e3) * z + self.beta[...]


@fault("gamma-tiny-is-zero", "BN-AFF-1")
class GammaTinyIsZero(StepwiseBatchNorm):
    """A gamma below 1e-5 counts as zero."""

    def affine(self, z: Array) -> Array:
        gamma = self.gamma[...]
        return jnp.where(jnp.abs(gamma) < 1e-5, 0, gamma) * z + self.beta[...]


@fault("beta-skipped-if-gamma-one", "BN-AFF-1", "BN-TRAIN-1", diagnosed="beta-unused@gamma-one")
class BetaSkippedIfGammaOne(StepwiseBatchNorm):
    """Where every gamma is one, the layer is taken as fresh and beta is not added."""

    def affine(self, z: Array) -> Array:
        return jnp.where(jnp.all(self.gamma[...] == 1), z, super().affine(z))


@fault("gamma-skipped-if-beta-zero", "BN-AFF-1", "BN-TRAIN-1", diagnosed="gamma-unused@beta-zero")
class GammaSkippedIfBetaZero(StepwiseBatchNorm):
    """Where every beta is zero, the layer is taken as fresh and gamma is not applied."""

    def affine(self, z: Array) -> Array:
        return jnp.where(jnp.all(self.beta[...] == 0), z, super().affine(z))
