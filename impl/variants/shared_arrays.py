"""Layers that hold several arrays in one Variable, or what can be computed from them."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx

from impl.stepwise import Array, StepwiseBatchNorm
from impl.variants.record import variant


class Averages(NamedTuple):
    """The running statistics, (D,) each."""

    mean: Array
    var: Array


class _Shared(StepwiseBatchNorm):
    """A layer whose running statistics are read and stored together."""

    def averages(self) -> Averages:
        raise NotImplementedError

    def store(self, new: Averages) -> None:
        raise NotImplementedError

    def evaluate(self, x: Any) -> Any:
        return self.output(x, *self.averages())

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        old = self.averages()
        self.store(Averages(self.moved(old.mean, mean), self.moved_var(old.var, var)))


@variant(
    "arrays-in-rows",
    gamma="both[0]",
    beta="both[1]",
    running_mean="stats[0]",
    running_var="stats[1]",
)
class InRows(_Shared):
    """Two arrays, (2, D), for four."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        del rngs
        zeros, ones = jnp.zeros((d,), jnp.float32), jnp.ones((d,), jnp.float32)
        self.both = nnx.Param(jnp.stack([ones, zeros]))
        self.stats = nnx.BatchStat(jnp.stack([zeros, ones]))

    def averages(self) -> Averages:
        return Averages(*self.stats[...])

    def store(self, new: Averages) -> None:
        self.stats[...] = jnp.stack(new)

    def affine(self, z: Array) -> Array:
        gamma, beta = self.both[...]
        return gamma * z + beta


@variant("statistics-in-dictionary", running_mean="stats['mean']", running_var="stats['var']")
class InDictionary(_Shared):
    """A Variable with a dictionary of both running statistics."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        self.gamma, self.beta = nnx.Param(self.start_gamma(d, rngs)), nnx.Param(self.start_beta(d))
        self.stats = nnx.BatchStat({"mean": self.start_mean(d), "var": self.start_var(d)})

    def averages(self) -> Averages:
        return Averages(**self.stats.get_value())

    def store(self, new: Averages) -> None:
        self.stats.set_value(new._asdict())


@variant("statistics-in-tuple", running_mean="stats[0]", running_var="stats[1]")
class InTuple(_Shared):
    """A Variable with a named tuple of both running statistics."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        self.gamma, self.beta = nnx.Param(self.start_gamma(d, rngs)), nnx.Param(self.start_beta(d))
        self.stats = nnx.BatchStat(Averages(self.start_mean(d), self.start_var(d)))

    def averages(self) -> Averages:
        kept: Averages = self.stats.get_value()
        return kept

    def store(self, new: Averages) -> None:
        self.stats.set_value(new)


@variant("inverse-deviation-kept", extra=("kept_for", "kept"))
class InverseDeviationKept(StepwiseBatchNorm):
    """1/√(v + ε) is kept with the variance that it belongs to, and used as long as that is so."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.kept_for = nnx.Cache(self.start_var(d))
        self.kept = nnx.Cache(self.inverse_std(self.kept_for[...]))

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        self.kept_for[...] = self.running_var[...] + 0
        self.kept[...] = self.inverse_std(self.running_var[...])

    def evaluate(self, x: Any) -> Any:
        var = self.running_var[...]
        used = jnp.where(self.kept_for[...] == var, self.kept[...], self.inverse_std(var))
        return self.affine((x - self.running_mean[...]) * used)
