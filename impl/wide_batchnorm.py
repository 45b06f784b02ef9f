"""The reference for the extended domain: any feature axis, masks, dtypes and named axes.

Layers of the gallery and of the held-out corpus override its steps, so their names are fixed.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.adapters.domain import AT_LEAST_FLOAT32, Wider
from impl.stepwise import Array

DOMAIN = Wider(
    ndim=True,
    axis="axis",
    mask="mask",
    mask_by_row=True,
    dtype="dtype",
    precisions=AT_LEAST_FLOAT32,
    axis_name="axis_name",
)


class WideBatchNorm(nnx.Module):
    """Batch Normalization over all axes but one, divided into steps that can be overridden.

    With K the rows that count: μ = Σ_K x/|K|, v = Σ_K (x−μ)²/|K|, both summed over the named axis.
    Arithmetic is done in at least float32, and the four arrays stay float32. If no row counts, the
    running statistics do not change. A mask is boolean and has the shape of x without the features;
    it is true where a row counts.

    Args:
        d: D, the number of features.
        momentum: The weight of the old value.
        eps: ε, added to the variance.
        rngs: Not used.
        axis: The axis of the features.
        dtype: The dtype of the output; None promotes the dtype of x with float32.
        axis_name: The axis of ``jax.vmap`` or ``jax.shard_map`` over which statistics are shared.

    Raises:
        ValueError: x has another number of features.
    """

    def __init__(
        self,
        d: int,
        momentum: float,
        eps: float,
        rngs: nnx.Rngs,
        *,
        axis: int = -1,
        dtype: Any = None,
        axis_name: str | None = None,
    ) -> None:
        del rngs
        self.momentum = momentum
        self.eps = eps
        self.axis = axis
        self.dtype = dtype
        self.axis_name = axis_name
        self.create(d)

    def create(self, d: int) -> None:
        self.gamma = nnx.Param(jnp.ones((d,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((d,), jnp.float32))
        self.running_mean = nnx.Variable(jnp.zeros((d,), jnp.float32))
        self.running_var = nnx.Variable(jnp.ones((d,), jnp.float32))

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        x = jnp.asarray(x)
        if x.shape[self.axis] != self.gamma.shape[0]:  # an update must not come before the error
            msg = f"{x.shape[self.axis]} features on axis {self.axis}, not {self.gamma.shape[0]}"
            raise ValueError(msg)
        moved = self.features_last(x)
        rows = self.widened(moved.reshape(-1, moved.shape[-1]))
        kept = self.counting(mask, rows)
        rows = self.cleaned(rows, kept)
        y = self.evaluate(rows) if use_running_average else self.train_step(rows, kept)
        return self.answered(self.features_back(y, moved.shape), x)

    def features_last(self, x: Any) -> Any:
        """Move the features of x to the last axis."""
        return jnp.moveaxis(x, self.axis, -1)

    def features_back(self, y: Any, shape: tuple[int, ...]) -> Any:
        """Move the features of y back to their axis.

        Args:
            y: Rows, (N, D).
            shape: The shape of x with the features last.
        """
        return jnp.moveaxis(y.reshape(shape), -1, self.axis)

    def widened(self, rows: Any) -> Array:
        """Convert rows to the dtype of the arithmetic."""
        return rows.astype(jnp.promote_types(rows.dtype, jnp.float32))

    def counting(self, mask: Any, rows: Array) -> Array:
        """Return which rows count, (N, 1).

        Args:
            mask: The mask; None if all rows count.
            rows: The rows, (N, D).
        """
        if mask is None:
            return jnp.ones((len(rows), 1), bool)
        return jnp.asarray(mask).reshape(-1, 1)

    def cleaned(self, rows: Array, kept: Array) -> Array:
        """Set rows that do not count to zero, because the derivative of NaN is NaN.

        Args:
            rows: The rows, (N, D).
            kept: Which rows count, (N, 1).
        """
        return jnp.where(kept, rows, 0)

    def train_step(self, rows: Array, kept: Array) -> Array:
        mean, var = self.statistics(rows, kept)
        self.update(mean, var, self.rows_counted(kept))
        return self.output(rows, mean, var)

    def evaluate(self, rows: Array) -> Array:
        running = self.running_mean[...], self.running_var[...]
        return self.output(rows, *(value.astype(rows.dtype) for value in running))

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.average(rows, kept)
        return mean, self.average(jnp.square(rows - mean), kept)

    def average(self, values: Array, kept: Array) -> Array:
        """Return the mean of the rows that count, (D,), also over the named axis; 0 if none does.

        Args:
            values: The rows, (N, D).
            kept: Which rows count, (N, 1).
        """
        count = self.rows_counted(kept).astype(values.dtype)
        return self.total(jnp.where(kept, values, 0).sum(axis=0)) / jnp.maximum(count, 1)

    def rows_counted(self, kept: Array) -> Array:
        """Return |K|, also over the named axis."""
        return self.total(kept.sum())

    def total(self, value: Array) -> Array:
        """Return the sum over the named axis, if there is one."""
        return value if self.axis_name is None else jax.lax.psum(value, self.axis_name)

    def update(self, mean: Array, var: Array, count: Array) -> None:
        self.running_mean[...] = self.moved(self.running_mean[...], mean, count)
        self.running_var[...] = self.moved(self.running_var[...], var, count)

    def moved(self, old: Array, new: Array, count: Array) -> Array:
        stepped = self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)
        return jnp.where(count > 0, stepped, old).astype(old.dtype)

    def output(self, rows: Array, mean: Array, var: Array) -> Array:
        return self.affine((rows - mean) * self.inverse_std(var))

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var + self.eps)

    def affine(self, z: Array) -> Array:
        return self.gamma[...] * z + self.beta[...]

    def answered(self, y: Array, x: Any) -> Array:
        """Convert y to the dtype of the output, which x decides if the layer does not."""
        return y.astype(self.dtype or jnp.promote_types(x.dtype, jnp.float32))
