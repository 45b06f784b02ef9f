"""Faults with float64: what is left in float32, and what is not."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array
from impl.wide_batchnorm import DOMAIN, WideBatchNorm

typed = partial(fault, wider=DOMAIN)


class Single(WideBatchNorm):
    """A layer with something left in float32."""

    def single(self, value: Array) -> Array:
        return value.astype(jnp.float32).astype(value.dtype)


@typed("double-computed-in-single", "BN-TYPE-3", source="google/flax: cast even if downcast")
class ComputedInSingle(WideBatchNorm):
    """float64 is computed in float32 and answered as float64."""

    def widened(self, rows: Any) -> Array:
        return rows.astype(jnp.float32)


@typed("double-mean-in-single", "BN-TYPE-3")
class MeanInSingle(Single):
    """The mean of a float64 batch is rounded to float32."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.single(self.average(rows, kept))
        return mean, self.average(jnp.square(rows - mean), kept)


@typed("double-variance-in-single", "BN-TYPE-3")
class VarianceInSingle(Single):
    """The variance of a float64 batch is rounded to float32."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean, var = super().statistics(rows, kept)
        return mean, self.single(var)


@typed("double-eps-in-single", "BN-TYPE-3")
class EpsInSingle(WideBatchNorm):
    """eps is a float32 constant."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var + jnp.float32(self.eps).astype(var.dtype))


@typed("double-root-in-single", "BN-TYPE-3")
class RootInSingle(WideBatchNorm):
    """1/√(v+eps) is computed in float32."""

    def inverse_std(self, var: Array) -> Array:
        return super().inverse_std(var.astype(jnp.float32)).astype(var.dtype)


@typed("double-evaluated-in-single", "BN-TYPE-3")
class EvaluatedInSingle(WideBatchNorm):
    """Evaluation computes in float32."""

    def evaluate(self, rows: Array) -> Array:
        return super().evaluate(rows.astype(jnp.float32)).astype(rows.dtype)


@typed("double-answered-in-single", "BN-TYPE-3")
class AnsweredInSingle(WideBatchNorm):
    """The output of float64 is float32."""

    def answered(self, y: Array, x: Any) -> Array:
        return super().answered(y, x) if self.dtype else y.astype(jnp.float32)


@typed("double-state", "BN-TYPE-3", source="flax Linen under jax_enable_x64")
class DoubleState(WideBatchNorm):
    """The running statistics become float64 with the first update."""

    def update(self, mean: Array, var: Array, count: Array) -> None:
        super().update(mean, var, count)
        self.running_mean.set_value(self.running_mean[...].astype(mean.dtype))
        self.running_var.set_value(self.running_var[...].astype(var.dtype))


@typed("double-mask-count", "BN-TYPE-3", source="keras-team/keras: sum/(count + 1e-7)")
class CountAndSomething(WideBatchNorm):
    """Means are divided by the count and 1e-7, which float32 does not see."""

    def average(self, values: Array, kept: Array) -> Array:
        count = self.rows_counted(kept).astype(values.dtype) + 1e-7
        return self.total(jnp.where(kept, values, 0).sum(axis=0)) / count


@typed("double-default-dtype", "BN-TYPE-3", source="patrick-kidger/equinox: default dtypes")
class DefaultDtype(WideBatchNorm):
    """The four arrays are created in whatever JAX takes for the default."""

    def create(self, d: int) -> None:
        super().create(d)
        for name in ("gamma", "beta", "running_mean", "running_var"):
            holder = getattr(self, name)
            holder.set_value(jnp.asarray(holder[...], float))
