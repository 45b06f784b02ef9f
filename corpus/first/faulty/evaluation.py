"""Faults of evaluation, and of the choice of mode."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx

from corpus.first.correct.base import Base, sg


class EvalUpdates(Base):
    """Evaluation normalises properly but also updates the running statistics."""

    def eval_call(self, x):
        y = super().eval_call(x)
        self.update(x, *self.batch_stats(x))
        return y


class EvalLastBatch(Base):
    """Evaluation uses the statistics of the last training batch instead of the running averages."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.last_mean = nnx.Variable(jnp.zeros((d,), jnp.float32))
        self.last_var = nnx.Variable(jnp.ones((d,), jnp.float32))

    def update(self, x, mean, var):
        super().update(x, mean, var)
        self.last_mean[...], self.last_var[...] = sg(mean), sg(var)

    def eval_call(self, x):
        return self.normalise(x, self.last_mean[...], self.last_var[...])


class EvalBessel(Base):
    """Evaluation multiplies the running variance by N/(N-1) of the evaluated batch."""

    def eval_call(self, x):
        n = x.shape[0]
        return self.normalise(x, self.running_mean[...], self.running_var[...] * n / max(n - 1, 1))


class EvalUntrainedFallback(Base):
    """Evaluation falls back to batch statistics while the running ones look untouched."""

    def eval_call(self, x):
        rm, rv = self.running_mean[...], self.running_var[...]
        fresh = jnp.all(rm == 0) & jnp.all(rv == 1)
        mean, var = self.batch_stats(x)
        return self.normalise(x, jnp.where(fresh, mean, rm), jnp.where(fresh, var, rv))


class FrozenAtMomentumOne(Base):
    """A momentum of one is read as a frozen layer, so training normalises with the running
    statistics.
    """

    def __call__(self, x, use_running_average):
        return super().__call__(x, use_running_average or self.momentum == 1.0)


class BatchRenorm(Base):
    """Training applies the batch renormalisation correction r and d towards the running
    statistics.
    """

    def train_call(self, x):
        mean, var = self.batch_stats(x)
        std, rstd = self.root(var), self.root(self.running_var[...])
        r = sg(jnp.clip(std / rstd, 1 / 3, 3.0))
        d = sg(jnp.clip((mean - self.running_mean[...]) / rstd, -5.0, 5.0))
        self.update(x, mean, var)
        return self.affine((x - mean) / std * r + d)
