"""Faults at particular sizes and containers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault(
    "single-row-identity",
    "BN-TRAIN-8",
    "BN-SHAPE-1",
    source="torch/nn#1271",
    diagnosed=("identity-in-training@one-row", "constant-identity@one-row"),
)
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


@fault("tail-of-16", "BN-SHAPE-1", source="openai/triton#9838", diagnosed="tail-left-out-of-mean")
class TailOf16(StepwiseBatchNorm):
    """Rows beyond the last full block of 16 do not count for the mean."""

    def batch_mean(self, x: Any) -> Array:
        full = x.shape[0] // 16 * 16
        return jnp.mean(x[: full or None], axis=0)


@fault(
    "tail-of-128",
    "BN-SHAPE-1",
    source="facebookresearch/xformers#785",
    diagnosed="tail-left-out-of-var",
)
class TailOf128(StepwiseBatchNorm):
    """Rows beyond the last full block of 128 do not count for the variance."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        full = x.shape[0] // 128 * 128
        return super().batch_var(x[: full or None], mean)


@fault("lanes-beyond-128", "BN-SHAPE-1", diagnosed="lanes-beyond")
class LanesBeyond128(StepwiseBatchNorm):
    """Features beyond the first 128 are not normalised."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        z = super().normalized(x, mean, var)
        return jnp.concatenate([z[:, :128], x[:, 128:]], axis=1)


@fault("first-1000-rows", "BN-SHAPE-1", diagnosed="first-rows-only-mean")
class First1000Rows(StepwiseBatchNorm):
    """Statistics come from the first thousand rows."""

    def batch_mean(self, x: Any) -> Array:
        return jnp.mean(x[:1000], axis=0)


@fault("numpy-in-place", "BN-IND-3", diagnosed=("centred-in-place", "input-changed"))
class NumpyInPlace(StepwiseBatchNorm):
    """A NumPy input is centred in place."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        if isinstance(x, np.ndarray):
            x -= np.asarray(mean)
            return x * self.inverse_std(var)
        return super().normalized(x, mean, var)


@fault(
    "numpy-path",
    "BN-SHAPE-2",
    "BN-TRAIN-1",
    diagnosed=("unbiased-variance@numpy", "unbiased-normalization@numpy"),
)
class NumpyPath(StepwiseBatchNorm):
    """NumPy inputs take a separate path, with the unbiased variance."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        if isinstance(x, np.ndarray) and not isinstance(x, jax.Array) and x.shape[0] > 1:
            return jnp.var(x, axis=0, ddof=1)
        return super().batch_var(x, mean)


@fault("strides-ignored", "BN-SHAPE-2", diagnosed=("strides-ignored", "fortran-ignored"))
class StridesIgnored(StepwiseBatchNorm):
    """The memory of a NumPy view is read in storage order."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if isinstance(x, np.ndarray):
            x = x.ravel(order="K").reshape(x.shape)
        return super().__call__(x, use_running_average)


@fault("rows-sorted", "BN-TRAIN-4", "BN-TRAIN-1", diagnosed="rows-sorted@training")
class RowsSorted(StepwiseBatchNorm):
    """Rows are sorted for a stable sum and not put back."""

    def train_step(self, x: Any) -> Any:
        return super().train_step(jnp.sort(x, axis=0))


@fault("lanes-beyond-256", "BN-SHAPE-1", diagnosed="lanes-beyond")
class LanesBeyond256(StepwiseBatchNorm):
    """Features beyond the first 256 are not normalised."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        z = super().normalized(x, mean, var)
        return jnp.concatenate([z[:, :256], x[:, 256:]], axis=1)


@fault("last-feature-skipped", "BN-TRAIN-4", "BN-SHAPE-1")
class LastFeatureSkipped(StepwiseBatchNorm):
    """A loop over features stops one too early."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        z = super().normalized(x, mean, var)
        return jnp.concatenate([z[:, :-1], x[:, -1:]], axis=1) if x.shape[1] > 1 else z


@fault(
    "odd-row-dropped",
    "BN-SHAPE-1",
    "BN-TRAIN-1",
    diagnosed=(
        "last-row-left-out-of-statistics@odd",
        "last-row-left-out@odd",
        "last-row-left-out-of-var@odd",
        "tail-left-out",
        "tail-left-out-of-mean",
    ),
)
class OddRowDropped(StepwiseBatchNorm):
    """Rows are summed in pairs, and an odd one at the end is dropped."""

    def batch_mean(self, x: Any) -> Array:
        return jnp.mean(x[: x.shape[0] // 2 * 2 or None], axis=0)


@fault("padding-counted", "BN-SHAPE-1", "BN-TRAIN-1")
class PaddingCounted(StepwiseBatchNorm):
    """Rows are padded with zeros to a power of two, and the padding counts in the variance."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        rows = x.shape[0]
        missing = (1 << (rows - 1).bit_length()) - rows
        padded = jnp.pad(jnp.asarray(x), ((0, missing), (0, 0)))
        return jnp.sum(jnp.square(padded - mean), axis=0) / rows


@fault("two-rows-are-signs", "BN-EPS-1", "BN-TRAIN-10", diagnosed="signs@rows==2")
class TwoRowsAreSigns(StepwiseBatchNorm):
    """Two rows normalise to +1 and −1, which forgets eps."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        return jnp.sign(x - mean) if x.shape[0] == 2 else super().normalized(x, mean, var)


@fault("integers-floored", "BN-NUM-3", "BN-TRAIN-1")
class IntegersFloored(StepwiseBatchNorm):
    """Features that hold integers get an integer mean."""

    def batch_mean(self, x: Any) -> Array:
        mean = super().batch_mean(x)
        return jnp.where(jnp.all(x == jnp.round(x), axis=0), jnp.floor(mean), mean)


@fault("large-is-missing", "BN-NUM-3", diagnosed=("large-is-missing@training", "large-is-missing"))
class LargeIsMissing(StepwiseBatchNorm):
    """Values beyond 1e6 are taken for missing and set to zero."""

    def train_step(self, x: Any) -> Any:
        return super().train_step(jnp.where(jnp.abs(x) > 1e6, 0, x))


@fault("tiny-variance-is-constant", "BN-NUM-2", "BN-EPS-1")
class TinyVarianceIsConstant(StepwiseBatchNorm):
    """A feature with a variance below 1e-12 is taken as constant."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        return jnp.where(var < 1e-12, 0, super().normalized(x, mean, var))
