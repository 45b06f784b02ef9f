"""Guards and fast paths that change results."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from corpus.first.correct.base import Base


class ClipFive(Base):
    """The normalised values are clipped to [-5, 5] for stability."""

    def affine(self, h):
        return super().affine(jnp.clip(h, -5.0, 5.0))


class ConstantColumnZero(Base):
    """A column with zero batch variance is output as zero instead of beta."""

    def train_call(self, x):
        var = self.batch_stats(x)[1]
        return jnp.where(var == 0, 0.0, super().train_call(x))


class RunningVarFloor(Base):
    """The running variance is kept from falling below epsilon."""

    def update(self, x, mean, var):
        super().update(x, mean, var)
        self.running_var[...] = jnp.maximum(self.running_var[...], self.eps)


class QuakeRsqrt(Base):
    """The reciprocal root is the bit-trick approximation with a single Newton step."""

    def normalise(self, x, mean, var):
        v = jnp.asarray(var + self.eps, jnp.float32)
        i = 0x5F3759DF - (jax.lax.bitcast_convert_type(v, jnp.int32) >> 1)
        y = jax.lax.bitcast_convert_type(i, jnp.float32)
        return self.affine((x - mean) * (y * (1.5 - 0.5 * v * y * y)))


class ScalarFeatureSqueezed(Base):
    """With a single feature the output loses its second axis."""

    def normalise(self, x, mean, var):
        y = super().normalise(x, mean, var)
        return y[:, 0] if y.shape[1] == 1 else y


class LargeBatchSubsample(Base):
    """Batches above 128 rows take their statistics from every second row."""

    def batch_stats(self, x):
        return super().batch_stats(x[::2] if x.shape[0] > 128 else x)
