"""Faults at particular sizes and containers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("single-row-identity", "BN-TRAIN-8", "BN-SHAPE-1", source="torch/nn#1271")
class SingleRowIdentity(StepwiseBatchNorm):
    """A single row is returned as it is."""

    def train_step(self, x: Any) -> Any:
        y = super().train_step(x)
        return jnp.asarray(x) if x.shape[0] == 1 else y


@fault("constant-identity", "BN-TRAIN-9")
class ConstantIdentity(StepwiseBatchNorm):
    """A constant feature is returned as it is."""

    def train_step(self, x: Any) -> Any:
        return jnp.where(jnp.max(x, axis=0) == jnp.min(x, axis=0), x, super().train_step(x))


@fault("tail-of-16", "BN-SHAPE-1", source="openai/triton#9838")
class TailOf16(StepwiseBatchNorm):
    """Rows beyond the last full block of 16 do not count for the mean."""

    def batch_mean(self, x: Any) -> Array:
        full = x.shape[0] // 16 * 16
        return jnp.mean(x[: full or None], axis=0)


@fault("tail-of-128", "BN-SHAPE-1", source="facebookresearch/xformers#785")
class TailOf128(StepwiseBatchNorm):
    """Rows beyond the last full block of 128 do not count for the variance."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        full = x.shape[0] // 128 * 128
        return super().batch_var(x[: full or None], mean)


@fault("lanes-beyond-128", "BN-SHAPE-1")
class LanesBeyond128(StepwiseBatchNorm):
    """Features beyond the first 128 are not normalised."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        z = super().normalized(x, mean, var)
        return jnp.concatenate([z[:, :128], x[:, 128:]], axis=1)


@fault("first-1000-rows", "BN-SHAPE-1")
class First1000Rows(StepwiseBatchNorm):
    """Statistics come from the first thousand rows."""

    def batch_mean(self, x: Any) -> Array:
        return jnp.mean(x[:1000], axis=0)


@fault("numpy-in-place", "BN-IND-3")
class NumpyInPlace(StepwiseBatchNorm):
    """A NumPy input is centred in place."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        if isinstance(x, np.ndarray):
            x -= np.asarray(mean)
            return x * self.inverse_std(var)
        return super().normalized(x, mean, var)


@fault("numpy-path", "BN-SHAPE-2", "BN-TRAIN-1")
class NumpyPath(StepwiseBatchNorm):
    """NumPy inputs take a path of their own, with the unbiased variance."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        if isinstance(x, np.ndarray) and not isinstance(x, jax.Array) and x.shape[0] > 1:
            return jnp.var(x, axis=0, ddof=1)
        return super().batch_var(x, mean)


@fault("strides-ignored", "BN-SHAPE-2")
class StridesIgnored(StepwiseBatchNorm):
    """The memory of a NumPy view is read in the order in which it lies."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if isinstance(x, np.ndarray):
            x = x.ravel(order="K").reshape(x.shape)
        return super().__call__(x, use_running_average)


@fault("rows-sorted", "BN-TRAIN-4", "BN-TRAIN-1")
class RowsSorted(StepwiseBatchNorm):
    """Rows are sorted for a stable sum and not put back."""

    def train_step(self, x: Any) -> Any:
        return super().train_step(jnp.sort(x, axis=0))
