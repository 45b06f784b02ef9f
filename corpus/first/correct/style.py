"""Correct layers: hyper-parameters in other styles."""

from __future__ import annotations

import dataclasses
import json
import struct
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from corpus.first.correct.shared import F32, _FromMoments


@dataclasses.dataclass(frozen=True)
class _Config:
    momentum: float
    eps: float

    def blend(self, old: jax.Array, new: jax.Array) -> jax.Array:
        return lax.stop_gradient(old + (1.0 - self.momentum) * (new - old))


class _Moments(NamedTuple):
    mean: jax.Array
    var: jax.Array

    @classmethod
    def of(cls, x: jax.Array) -> _Moments:
        mean = jnp.mean(x, axis=0)
        return cls(mean, jnp.mean(jnp.square(x - mean), axis=0))


class ConfiguredDelta(nnx.Module):
    """Frozen dataclass of settings, NamedTuple of moments, old + (1-m)*(new-old), nnx.update."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        self.gamma = nnx.Param(jnp.full((d,), 1, F32))
        self.beta = nnx.Param(jnp.full((d,), 0, F32))
        self.running_mean = nnx.BatchStat(jnp.full((d,), 0, F32))
        self.running_var = nnx.BatchStat(jnp.full((d,), 1, F32))
        self.config = _Config(momentum=float(momentum), eps=float(eps))

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        x = jnp.asarray(x, F32)
        current = _Moments(self.running_mean[...], self.running_var[...])
        used = current if use_running_average else _Moments.of(x)
        if not use_running_average:
            fresh = _Moments(*map(self.config.blend, current, used))
            nnx.update(self, {"running_mean": fresh.mean, "running_var": fresh.var})
        normal = (x - used.mean) / jnp.sqrt(used.var + self.config.eps)
        return normal * self.gamma[...] + self.beta[...]


class FlaxAdapted(nnx.BatchNorm):
    """flax's own BatchNorm, slow variance, its four names turned into properties over ours."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(
            d,
            momentum=float(momentum),
            epsilon=float(eps),
            use_fast_variance=False,
            dtype=jnp.float32,
            rngs=nnx.Rngs(0),
        )

    scale = property(lambda s: s.gamma, lambda s, v: setattr(s, "gamma", v))
    bias = property(lambda s: s.beta, lambda s, v: setattr(s, "beta", v))
    mean = property(lambda s: s.running_mean, lambda s, v: setattr(s, "running_mean", v))
    var = property(lambda s: s.running_var, lambda s, v: setattr(s, "running_var", v))

    def __call__(self, x, use_running_average):
        y = super().__call__(x, use_running_average=bool(use_running_average))
        if not use_running_average:  # flax leaves a gradient path through the stored statistics
            self.running_mean[...] = lax.stop_gradient(self.running_mean[...])
            self.running_var[...] = lax.stop_gradient(self.running_var[...])
        return y


class _ParameterMixin:
    def _make_parameters(self, d):
        self.gamma = nnx.Param(jnp.ones((d,), F32))
        self.beta = nnx.Param(jnp.zeros((d,), F32))


class _StatisticsMixin:
    def _make_statistics(self, d):
        self.running_mean = nnx.BatchStat(jnp.zeros((d,), F32))
        self.running_var = nnx.BatchStat(jnp.ones((d,), F32))

    def _absorb(self, **batch):
        for name, value in batch.items():
            cell = getattr(self, f"running_{name}")
            cell.set_value(
                jnp.asarray(cell.get_value()) * self.momentum
                + lax.stop_gradient(value) * (1 - self.momentum)
            )


class Mixins(_ParameterMixin, _StatisticsMixin, nnx.Module):
    """Parameters and statistics come from two mixins; cells are written with set_value."""

    def __init__(self, d, momentum, eps, rngs):
        self._make_statistics(d)
        self._make_parameters(d)
        self.eps, self.momentum = float(eps), float(momentum)

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        mean, var = self.running_mean.get_value(), self.running_var.get_value()
        if not use_running_average:
            mean = x.mean(axis=0)
            var = ((x - mean) ** 2).mean(axis=0)
            self._absorb(mean=mean, var=var)
        sigma = jnp.sqrt(var + self.eps)
        return (x - mean) * (self.gamma.get_value() / sigma) + self.beta.get_value()


class OldValueStyle(_FromMoments):
    """State is read and written through the older `.value` attribute of a Variable."""

    def moments(self, x):
        mean = jnp.mean(x, axis=0)
        return mean, jnp.mean(jnp.square(x - mean), axis=0)

    def _remember(self, mean, var):
        m = self.momentum
        self.running_mean.value = m * self.running_mean.value + (1 - m) * lax.stop_gradient(mean)
        self.running_var.value = m * self.running_var.value + (1 - m) * lax.stop_gradient(var)


class FractionHyper(_FromMoments):
    """The hyper-parameters are kept as exact Fractions; 1 - momentum is rational arithmetic."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.momentum = Fraction(float(momentum))
        self.eps = Fraction(float(eps))

    def moments(self, x):
        mean = jnp.mean(x, axis=0)
        return mean, jnp.mean(jnp.square(x - mean), axis=0)

    def _remember(self, mean, var):
        keep, take = float(self.momentum), float(1 - self.momentum)
        for cell, new in zip((self.running_mean, self.running_var), (mean, var), strict=True):
            cell[...] *= keep
            cell[...] += take * lax.stop_gradient(new)

    def _affine(self, x, mean, var):
        root = jnp.sqrt(var + float(self.eps))
        return jnp.divide(x - mean, root) * self.gamma[...] + self.beta[...]


class JsonHyper(_FromMoments):
    """The hyper-parameters live in a JSON string, parsed at every call; sums by halves."""

    def __init__(self, d, momentum, eps, rngs):
        shapes = {"gamma": 1.0, "beta": 0.0}
        for name, start in shapes.items():
            setattr(self, name, nnx.Param(jnp.array([start] * d, F32)))
        for name, start in [("running_mean", 0.0), ("running_var", 1.0)]:
            setattr(self, name, nnx.Variable(jnp.array([start] * d, F32)))
        self.settings = json.dumps({"momentum": float(momentum), "eps": float(eps)})

    momentum = property(lambda self: json.loads(self.settings)["momentum"])
    eps = property(lambda self: json.loads(self.settings)["eps"])

    def moments(self, x):
        halves = jnp.split(x, [x.shape[0] // 2])
        mean = sum(half.sum(axis=0) for half in halves) / x.shape[0]
        return mean, sum(jnp.square(half - mean).sum(axis=0) for half in halves) / x.shape[0]


class PackedHyper(_FromMoments):
    """The hyper-parameters are packed as two doubles into a bytes object, NumPy scalars on use."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        del self.momentum, self.eps
        self.packed = struct.pack("<2d", momentum, eps)

    @property
    def hyper(self):
        return tuple(np.float32(v) for v in struct.unpack("<2d", self.packed))

    def moments(self, x):
        mean = jnp.mean(x, axis=0)
        return mean, jnp.mean(jnp.square(x - mean), axis=0)

    def _remember(self, mean, var):
        momentum = struct.unpack("<2d", self.packed)[0]
        keep, take = np.float32(momentum), np.float32(1 - momentum)
        self.running_mean[...] = keep * self.running_mean[...] + take * lax.stop_gradient(mean)
        self.running_var[...] = keep * self.running_var[...] + take * lax.stop_gradient(var)

    def _affine(self, x, mean, var):
        _, eps = self.hyper
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + eps) + self.beta[...]


class AssignmentRouter(_FromMoments):
    """__setattr__ routes a bare array assigned to a cell's name into the existing Variable."""

    def __setattr__(self, name, value):
        cell = vars(self).get(name)
        if isinstance(cell, nnx.Variable) and isinstance(value, (jax.Array, np.ndarray)):
            cell[...] = value
        else:
            super().__setattr__(name, value)

    def moments(self, x):
        mean = jnp.mean(x, axis=0)
        return mean, jnp.var(x - mean, axis=0)

    def _remember(self, mean, var):
        m, stop = self.momentum, lax.stop_gradient
        self.running_mean = m * self.running_mean[...] + (1 - m) * stop(mean)
        self.running_var = m * self.running_var[...] + (1 - m) * stop(var)
