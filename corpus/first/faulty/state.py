"""Faults of the state, its types and its copies."""

from __future__ import annotations

import weakref

import jax.numpy as jnp
from flax import nnx

from corpus.first.correct.base import Base, traced


class StatsAreParams(Base):
    """The running statistics are nnx.Param, so an optimiser would train them."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.running_mean = nnx.Param(jnp.zeros((d,), jnp.float32))
        self.running_var = nnx.Param(jnp.ones((d,), jnp.float32))


class BetaNotParam(Base):
    """Beta is a plain nnx.Variable, so an optimiser over nnx.Param never trains it."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.beta = nnx.Variable(jnp.zeros((d,), jnp.float32))


class SharedStatsByWidth(Base):
    """Layers of the same width share one pair of running-statistics Variables out of a module-
    level pool.
    """

    _pool: dict = {}

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        pool = SharedStatsByWidth._pool
        if d not in pool:
            pool[d] = (self.running_mean, self.running_var)
        self.running_mean, self.running_var = pool[d]


class VariablesReplaced(Base):
    """Every training call binds new Variables for the running statistics instead of writing into
    the old ones.
    """

    def update(self, x, mean, var):
        self.running_mean = nnx.Variable(self.step(self.running_mean[...], mean))
        self.running_var = nnx.Variable(self.step(self.running_var[...], var))


class ConsumesRng(Base):
    """Construction draws a key from rngs although ones and zeros need none, which shifts every
    later layer's initialisation.
    """

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        init = nnx.initializers.ones_init()
        self.gamma = nnx.Param(init(rngs.params(), (d,), jnp.float32))


class EpsParam(Base):
    """Epsilon is kept as an nnx.Param, so it receives a gradient and would be trained."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        del self.eps
        self.eps = nnx.data(nnx.Param(jnp.asarray(eps, jnp.float32)))

    def root(self, var):
        return jnp.sqrt(var + self.eps[...])


class KeepdimsRunning(Base):
    """The first training call turns the running statistics' shape from (D,) into (1, D)."""

    def update(self, x, mean, var):
        self.running_mean.set_value(self.step(self.running_mean[...], mean[None]))
        self.running_var.set_value(self.step(self.running_var[...], var[None]))


class SowedStatistics(Base):
    """Every training call sows the batch mean into the layer, so its state keeps growing."""

    def update(self, x, mean, var):
        super().update(x, mean, var)
        self.sow(nnx.Intermediate, "batch_mean", mean)


class ReduceLosesState(Base):
    """Pickling rebuilds the layer from its constructor arguments and loses parameters and
    statistics.
    """

    def __reduce__(self):
        return type(self), (self.gamma[...].shape[0], self.momentum, self.eps, None)


class DeepcopySelf(Base):
    """copy.deepcopy returns the very same layer."""

    def __deepcopy__(self, memo):
        return self


_SIDE: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class SideTable(Base):
    """Evaluation reads running statistics from a host side table, so assigned or restored ones are
    ignored.
    """

    def update(self, x, mean, var):
        super().update(x, mean, var)
        if not traced(self.running_mean[...]):
            _SIDE[self] = (self.running_mean[...], self.running_var[...])

    def eval_call(self, x):
        stats = _SIDE.get(self)
        if stats is None:
            stats = self.running_mean[...], self.running_var[...]
        return self.normalise(x, *stats)
