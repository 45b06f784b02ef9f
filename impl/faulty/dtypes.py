"""Faults with inputs of 16 bits: in arithmetic, outputs and state."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array
from impl.wide_batchnorm import DOMAIN, WideBatchNorm

typed = partial(fault, wider=DOMAIN)

_BITS_16 = ("bfloat16", "float16")


class Narrow(WideBatchNorm):
    """A layer that knows while it is called which dtype its input has."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        self.given = jnp.asarray(x).dtype
        try:
            return super().__call__(x, use_running_average, mask)
        finally:
            del self.given

    @property
    def narrow(self) -> bool:
        """Whether the input has 16 bits."""
        return str(self.given) in _BITS_16

    def cut(self, value: Array) -> Array:
        """Round to the 16 bits of the input, if it has so few."""
        return value.astype(self.given) if self.narrow else value

    def rounded(self, value: Array) -> Array:
        """Return the value with the digits that 16 bits leave of it."""
        return self.cut(value).astype(value.dtype)


@typed("half-statistics", "BN-TYPE-1", source="google-deepmind/dm-haiku: statistics in bfloat16")
class HalfStatistics(Narrow):
    """Mean and variance are computed in the 16 bits of the input."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean, var = super().statistics(self.cut(rows), kept)
        return mean.astype(rows.dtype), var.astype(rows.dtype)


@typed("half-sums", "BN-TYPE-1", source="pytorch/pytorch#126525")
class HalfSums(Narrow):
    """The mean is summed in the 16 bits of the input."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.cut(rows).sum(axis=0, dtype=self.given).astype(rows.dtype) / len(rows)
        return mean, self.average(jnp.square(rows - mean), kept)


@typed("half-squares", "BN-TYPE-1", source="microsoft/tensorflow-directml#321")
class HalfSquares(Narrow):
    """Squares are taken in the 16 bits of the input, beyond 65504 in float16."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.average(rows, kept)
        squares = jnp.square(self.cut(rows - mean)).astype(rows.dtype)
        return mean, self.average(squares, kept)


@typed("half-count", "BN-TYPE-1", source="pytorch/pytorch#70901")
class HalfCount(Narrow):
    """Rows are counted in the 16 bits of the input, which cannot represent 2049."""

    def rows_counted(self, kept: Array) -> Array:
        return self.rounded(super().rows_counted(kept).astype(jnp.float32))


@typed("half-running-statistics", "BN-TYPE-1", source="google/flax: dtype=bfloat16 in evaluation")
class HalfRunning(Narrow):
    """Evaluation rounds the running statistics to 16 bits."""

    def evaluate(self, rows: Array) -> Array:
        running = self.running_mean[...], self.running_var[...]
        return self.output(rows, *(self.rounded(value).astype(rows.dtype) for value in running))


@typed("half-running-variance", "BN-TYPE-1")
class HalfRunningVariance(Narrow):
    """Evaluation rounds the running variance to 16 bits, and it overflows in float16."""

    def evaluate(self, rows: Array) -> Array:
        var = self.rounded(self.running_var[...])
        return self.output(rows, self.running_mean[...].astype(rows.dtype), var.astype(rows.dtype))


@typed("half-eps", "BN-TYPE-1")
class HalfEps(Narrow):
    """eps is rounded to the 16 bits of the input."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var + self.rounded(jnp.asarray(self.eps, var.dtype)))


@typed("half-momentum", "BN-TYPE-1")
class HalfMomentum(Narrow):
    """Momentum is rounded to the 16 bits of the input."""

    def moved(self, old: Array, new: Array, count: Array) -> Array:
        m = self.rounded(jnp.asarray(self.momentum, jnp.float32))
        stepped = m * old + (1 - m) * jax.lax.stop_gradient(new)
        return jnp.where(count > 0, stepped, old).astype(old.dtype)


@typed("half-centred", "BN-TYPE-1")
class HalfCentred(Narrow):
    """x − μ is computed in the 16 bits of the input."""

    def output(self, rows: Array, mean: Array, var: Array) -> Array:
        centred = (self.cut(rows) - self.cut(mean)).astype(rows.dtype)
        return self.affine(centred * self.inverse_std(var))


@typed("half-fused", "BN-TYPE-1")
class HalfFused(Narrow):
    """y = x·s + b with scale and shift of 16 bits."""

    def output(self, rows: Array, mean: Array, var: Array) -> Array:
        scale = self.gamma[...] * self.inverse_std(var)
        shift = self.beta[...] - mean * scale
        return (self.cut(rows) * self.cut(scale) + self.cut(shift)).astype(rows.dtype)


@typed("half-output-promoted", "BN-TYPE-2", source="google-deepmind/dm-haiku: output dtypes")
class HalfOutputPromoted(WideBatchNorm):
    """The output is float32 whatever dtype was asked for."""

    def answered(self, y: Array, x: Any) -> Array:
        return y.astype(jnp.promote_types(x.dtype, jnp.float32))


@typed("half-output-of-input", "BN-TYPE-2")
class HalfOutputOfInput(WideBatchNorm):
    """The output has the dtype of the input although float32 is declared."""

    def answered(self, y: Array, x: Any) -> Array:
        return y.astype(x.dtype)


@typed("half-output-in-evaluation", "BN-TYPE-2")
class HalfOutputInEvaluation(WideBatchNorm):
    """Evaluation answers in the dtype of the input, training in the one declared."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        y = super().__call__(x, use_running_average, mask)
        return y.astype(jnp.asarray(x).dtype) if use_running_average else y


@typed("half-state", "BN-TYPE-2", source="flax Linen: statistics drift to another dtype")
class HalfState(Narrow):
    """The running statistics take the 16 bits of the input with the first update."""

    def update(self, mean: Array, var: Array, count: Array) -> None:
        super().update(mean, var, count)
        self.running_mean.set_value(self.cut(self.running_mean[...]))
        self.running_var.set_value(self.cut(self.running_var[...]))


@typed("half-running-mean", "BN-TYPE-2")
class HalfRunningMean(Narrow):
    """The running mean takes the 16 bits of the input, the variance stays."""

    def update(self, mean: Array, var: Array, count: Array) -> None:
        super().update(mean, var, count)
        self.running_mean.set_value(self.cut(self.running_mean[...]))


@typed("half-parameters", "BN-TYPE-2")
class HalfParameters(Narrow):
    """gamma and beta are cast to 16 bits where they stand."""

    def affine(self, z: Array) -> Array:
        y = super().affine(z)
        self.gamma.set_value(self.cut(self.gamma[...]))
        self.beta.set_value(self.cut(self.beta[...]))
        return y


@typed("half-parameter-gradients", "BN-TYPE-4")
class HalfParameterGradients(Narrow):
    """The gradients of gamma and beta are summed in the 16 bits of the input."""

    def affine(self, z: Array) -> Array:
        if not self.narrow:
            return super().affine(z)
        parameters = self.gamma[...], self.beta[...]
        gamma, beta = (summed_in(self.given, value, len(z)) for value in parameters)
        return gamma * z + beta


def summed_in(dtype: Any, row: Array, count: int) -> Array:
    """Repeat a row; its derivative is summed in the given dtype."""

    @jax.custom_vjp
    def repeated(row: Array) -> Array:
        return jnp.broadcast_to(row, (count, len(row)))

    def backward(_: None, w: Array) -> tuple[Array]:
        return (w.astype(dtype).sum(axis=0, dtype=dtype).astype(w.dtype),)

    repeated.defvjp(lambda row: (repeated(row), None), backward)
    return repeated(row)


@typed("half-statistics-constant", "BN-TYPE-4")
class HalfStatisticsConstant(Narrow):
    """The statistics of an input of 16 bits carry no gradient."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        return super().statistics(jax.lax.stop_gradient(rows) if self.narrow else rows, kept)
