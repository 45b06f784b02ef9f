"""Faults that only inputs of some ranks and layouts show."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array
from impl.wide_batchnorm import DOMAIN, WideBatchNorm

ranked = partial(fault, wider=DOMAIN)


class Ranked(WideBatchNorm):
    """A layer that knows while it is called which shape its input has."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        self.given = jnp.asarray(x).shape
        try:
            return super().__call__(x, use_running_average, mask)
        finally:
            del self.given


@ranked("nd-axis-zero-is-last", "BN-ND-1")
class AxisZeroIsLast(WideBatchNorm):
    """Axis 0 is falsy, so the last axis is used if it is as long."""

    def features_last(self, x: Any) -> Any:
        return x if self.unset(x) else super().features_last(x)

    def features_back(self, y: Any, shape: tuple[int, ...]) -> Any:
        return y.reshape(shape) if self.unset(y.reshape(shape)) else super().features_back(y, shape)

    def unset(self, x: Any) -> bool:
        return not self.axis and bool(x.shape[-1] == self.gamma.shape[0])


@ranked("nd-sequence-variance-by-position", "BN-ND-1")
class SequenceVarianceByPosition(Ranked):
    """The variance of sequences with the features last is the mean of the variances by position."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean, var = super().statistics(rows, kept)
        if len(self.given) != 3 or self.axis not in {-1, 2}:
            return mean, var
        positions = rows.reshape(-1, self.given[1], rows.shape[-1])
        return mean, positions.var(axis=0).mean(axis=0)


@ranked("nd-volumes-by-half", "BN-ND-1")
class VolumesByHalf(Ranked):
    """Beyond rank 4 the statistics are those of the first half."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        half = len(rows) // 2 if len(self.given) > 4 else len(rows)
        return super().statistics(rows[:half], kept[:half])


@ranked("nd-ones-squeezed", "BN-ND-1")
class OnesSqueezed(WideBatchNorm):
    """A single position is dropped from the shape of an image with the features last."""

    def answered(self, y: Array, x: Any) -> Array:
        y = super().answered(y, x)
        single = y.ndim == 4 and y.shape[1:3] == (1, 1)
        return y.reshape(y.shape[0], -1) if single else y


@ranked("mask-of-first-example", "BN-MASK-1")
class MaskOfFirstExample(WideBatchNorm):
    """All sequences use the mask of the first."""

    def counting(self, mask: Any, rows: Array) -> Array:
        if mask is not None and mask.ndim > 1:
            mask = jnp.broadcast_to(mask[:1], mask.shape)
        return super().counting(mask, rows)
