"""Faults in what is a row and what is a feature."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax.numpy as jnp

from impl.faulty.masked import with_derivative_times
from impl.faulty.record import fault
from impl.stepwise import Array
from impl.wide_batchnorm import DOMAIN, WideBatchNorm

laid_out = partial(fault, wider=DOMAIN)


def others(x: Array) -> tuple[int, ...]:
    """Return all axes but the last."""
    return tuple(range(x.ndim - 1))


@laid_out("nd-variance-by-position", "BN-ND-1", source="jax-ml/jax: stax.BatchNorm, axis 0")
class VarianceByPosition(WideBatchNorm):
    """The variance is that over axis 0, averaged over positions."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        moved = self.features_last(jnp.asarray(x))
        if use_running_average or moved.ndim < 3:
            return super().__call__(x, use_running_average, mask)
        mean, var = moved.mean(axis=others(moved)), moved.var(axis=0)
        var = var.mean(axis=others(var))
        self.update(mean, var, jnp.array(1))
        return jnp.moveaxis(self.output(moved, mean, var), -1, self.axis)


@laid_out("nd-each-example-alone", "BN-ND-1")
class EachExampleAlone(WideBatchNorm):
    """The output of each example is normalised with its own positions."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        y = super().__call__(x, use_running_average, mask)
        moved = self.features_last(jnp.asarray(x))
        if use_running_average or moved.ndim < 3:
            return y
        positions = tuple(range(1, moved.ndim - 1))
        mean, var = moved.mean(positions, keepdims=True), moved.var(positions, keepdims=True)
        return jnp.moveaxis(self.output(moved, mean, var), -1, self.axis)


@laid_out("nd-axis-guessed", "BN-ND-1", source="tensorlayer/TensorLayer#1103")
class AxisGuessed(WideBatchNorm):
    """The last axis is taken for the features if it is as long as there are features."""

    def chosen(self, shape: tuple[int, ...]) -> int:
        return -1 if shape[-1] == len(self.gamma[...]) else self.axis

    def features_last(self, x: Any) -> Any:
        return jnp.moveaxis(x, self.chosen(x.shape), -1)

    def answered(self, y: Any, x: Any) -> Any:
        guessed = self.chosen(x.shape) == -1
        return super().answered(jnp.moveaxis(y, self.axis, -1) if guessed else y, x)


@laid_out("nd-negative-axis-last", "BN-ND-1")
class NegativeAxisLast(WideBatchNorm):
    """Any negative axis is taken for the last."""

    def features_last(self, x: Any) -> Any:
        return x if self.axis < 0 else super().features_last(x)

    def features_back(self, y: Any, shape: tuple[int, ...]) -> Any:
        return y.reshape(shape) if self.axis < 0 else super().features_back(y, shape)


@laid_out("nd-negative-axis-off-by-one", "BN-ND-1")
class NegativeAxisOffByOne(WideBatchNorm):
    """A negative axis other than the last is counted from the last but one."""

    def place(self) -> int:
        return self.axis + 1 if self.axis < -1 else self.axis

    def features_last(self, x: Any) -> Any:
        return jnp.moveaxis(x, self.place(), -1)

    def features_back(self, y: Any, shape: tuple[int, ...]) -> Any:
        return jnp.moveaxis(y.reshape(shape), -1, self.place())


@laid_out("nd-not-transposed", "BN-ND-1")
class NotTransposed(WideBatchNorm):
    """The input is reshaped to rows without a transpose, and back."""

    def features_last(self, x: Any) -> Any:
        moved = super().features_last(x)
        return x.reshape(moved.shape)

    def features_back(self, y: Any, shape: tuple[int, ...]) -> Any:
        original = super().features_back(y, shape).shape
        return y.reshape(original)


@laid_out("nd-rows-in-other-order", "BN-ND-1")
class RowsInOtherOrder(WideBatchNorm):
    """The positions of the output are in another order than those of the input."""

    def features_back(self, y: Any, shape: tuple[int, ...]) -> Any:
        turned = (*shape[-2::-1], shape[-1])
        back = jnp.moveaxis(y.reshape(turned), range(len(shape) - 1), range(len(shape) - 2, -1, -1))
        return jnp.moveaxis(back, -1, self.axis)


@laid_out("nd-parameters-along-last", "BN-ND-1", diagnosed="affine-along-last-axis")
class ParametersAlongLast(WideBatchNorm):
    """gamma and beta go along the last axis wherever it is as long as they are."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        gamma, beta = self.gamma[...], self.beta[...]
        x = jnp.asarray(x)
        if x.shape[-1] != len(gamma):
            return super().__call__(x, use_running_average, mask)
        self.gamma[...], self.beta[...] = jnp.ones_like(gamma), jnp.zeros_like(beta)
        z = super().__call__(x, use_running_average, mask)
        self.gamma[...], self.beta[...] = gamma, beta
        return gamma * z + beta


@laid_out("nd-divides-by-batch", "BN-ND-1")
class DividesByBatch(WideBatchNorm):
    """The running variance follows a sum over all positions divided by the length of axis 0."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        before = self.running_var[...]
        y = super().__call__(x, use_running_average, mask)
        moved = self.features_last(jnp.asarray(x))
        if not use_running_average and moved.ndim > 2:
            after = self.running_var[...]
            positions = moved[0, ..., 0].size
            step = after - self.momentum * before
            self.running_var[...] = self.momentum * before + positions * step
        return y


@laid_out("nd-derivative-by-batch", "BN-ND-1")
class DerivativeByBatch(WideBatchNorm):
    """The derivative divides by the length of axis 0 instead of the number of positions."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        x = jnp.asarray(x)
        if use_running_average or x.ndim < 3:
            return super().__call__(x, use_running_average, mask)
        moved = self.features_last(x)
        factor = jnp.array(moved[0, ..., 0].size, jnp.float32)
        mean = with_derivative_times(moved.mean(axis=others(moved)), factor)
        var = with_derivative_times(jnp.square(moved - mean).mean(axis=others(moved)), factor)
        self.update(mean, var, jnp.array(1))
        return jnp.moveaxis(self.output(moved, mean, var), -1, self.axis)


@laid_out("nd-evaluates-as-last", "BN-ND-1")
class EvaluatesAsLast(WideBatchNorm):
    """Evaluation takes the last axis for the features if it is as long."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        x = jnp.asarray(x)
        if use_running_average and x.shape[-1] == len(self.gamma[...]):
            return self.output(x, self.running_mean[...], self.running_var[...])
        return super().__call__(x, use_running_average, mask)
