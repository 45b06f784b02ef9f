"""Correct layers: classes in other styles."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from corpus.first.correct.shared import F32, _FromMoments, _Plain


class _CheckedMeta(type(nnx.Module)):
    """Builds the instance, then asserts that the four cells exist with one common shape."""

    def __call__(cls, *args: Any, **kwargs: Any):
        made = super().__call__(*args, **kwargs)
        names = ("gamma", "beta", "running_mean", "running_var")
        shapes = {getattr(made, name)[...].shape for name in names}
        if len(shapes) != 1:
            raise TypeError(f"cells of different shapes: {shapes}")
        return made


class CheckedByMetaclass(_FromMoments, metaclass=_CheckedMeta):
    """A metaclass verifies each new instance; the moments come from lax.map by column."""

    def moments(self, x):
        def column(c):
            mean = jnp.mean(c)
            return mean, jnp.mean(jnp.square(c - mean))

        return lax.map(column, x.T)


class _Step:
    """A tiny pipeline: `a >> b` composes."""

    def __init__(self, f: Callable[[jax.Array], jax.Array]) -> None:
        self.f = f

    def __rshift__(self, other: _Step) -> _Step:
        return _Step(lambda v: other.f(self.f(v)))


class OperatorPipeline(_FromMoments):
    """The formula is a pipeline of operators built by overloaded >>; partials fill the steps."""

    def moments(self, x):
        centre = _Step(functools.partial(jnp.mean, axis=0))
        spread = _Step(jnp.square) >> centre
        mean = centre.f(x)
        return mean, spread.f(x - mean)

    def _affine(self, x, mean, var):
        inverse = lax.rsqrt(var + self.eps)
        steps = (
            _Step(lambda v: v - mean)
            >> _Step(functools.partial(jnp.multiply, inverse))
            >> _Step(functools.partial(jnp.multiply, self.gamma[...]))
            >> _Step(functools.partial(jnp.add, self.beta[...]))
        )
        return steps.f(x)


class CompiledCache(_Plain):
    """Compiled functions kept in a class-level dict keyed by mode and both hyper-parameters."""

    _compiled: ClassVar[dict[tuple[bool, float, float], Callable]] = {}

    def _function(self, frozen):
        key = (frozen, self.momentum, self.eps)
        if key not in self._compiled:
            _, momentum, eps = key

            def evaluate(x, cells):
                g, b, mean, var = cells
                return g * ((x - mean) / jnp.sqrt(var + eps)) + b

            def train(x, cells):
                g, b, *old = cells
                mean = jnp.mean(x, axis=0)
                new = (mean, jnp.mean(jnp.square(x - mean), axis=0))
                kept = [
                    momentum * o + (1 - momentum) * lax.stop_gradient(n)
                    for o, n in zip(old, new, strict=True)
                ]
                return evaluate(x, (g, b, *new)), kept

            self._compiled[key] = jax.jit(evaluate if frozen else train)
        return self._compiled[key]

    def __call__(self, x, use_running_average):
        frozen = bool(use_running_average)
        cells = tuple(c[...] for c in (self.gamma, self.beta, self.running_mean, self.running_var))
        out = self._function(frozen)(jnp.asarray(x, F32), cells)
        if frozen:
            return out
        y, (self.running_mean[...], self.running_var[...]) = out
        return y


A = TypeVar("A", bound=jax.Array)


class RunningStatistic(nnx.BatchStat):
    """A Variable of our own for the statistics."""


class TypedGeneric(nnx.Module, Generic[A]):
    """Generic, with its own BatchStat subclass, a keyword-only axis and a mapping of cells."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs | None = None) -> None:
        self.gamma: nnx.Param[A] = nnx.Param(jnp.ones((d,), F32))
        self.beta: nnx.Param[A] = nnx.Param(jnp.zeros((d,), F32))
        self.running_mean = RunningStatistic(jnp.zeros((d,), F32))
        self.running_var = RunningStatistic(jnp.ones((d,), F32))
        self.hyper: tuple[float, float] = (float(momentum), float(eps))

    def _cells(self) -> types.MappingProxyType[str, RunningStatistic]:
        return types.MappingProxyType({"mean": self.running_mean, "var": self.running_var})

    def __call__(self, x: A, use_running_average: bool, *, axis: int = 0) -> A:
        x = jnp.array(x, F32, copy=True)
        momentum, eps = self.hyper
        stats = {name: cell[...] for name, cell in self._cells().items()}
        if not use_running_average:
            mean = x.sum(axis) / x.shape[axis]
            old, stats = (
                stats,
                {"mean": mean, "var": jnp.square(x - mean).sum(axis) / x.shape[axis]},
            )
            for name, cell in self._cells().items():
                fresh = math.fsum((1.0, -momentum)) * stats[name] + momentum * old[name]
                cell[...] = lax.stop_gradient(fresh)
        gain = self.gamma[...] / jnp.sqrt(stats["var"] + eps)
        return (x - stats["mean"]) * gain + self.beta[...]
