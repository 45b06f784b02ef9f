"""Faulty running averages."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx

from corpus.first.correct.base import Base, sg


class TorchMomentum(Base):
    """Momentum weighs the new batch instead of the old running value."""

    def step(self, running, batch):
        return (1 - self.momentum) * running + self.momentum * sg(batch)


class AdamDebias(Base):
    """Evaluation divides both running statistics by 1-momentum^t as Adam does."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.steps = nnx.Variable(jnp.zeros((), jnp.int32))

    def train_call(self, x):
        self.steps[...] = self.steps[...] + 1
        return super().train_call(x)

    def eval_call(self, x):
        c = 1 - jnp.float32(self.momentum) ** self.steps[...]
        c = jnp.where(c > 0, c, 1.0)
        return self.normalise(x, self.running_mean[...] / c, self.running_var[...] / c)


class FirstBatchCopied(Base):
    """The first training call overwrites the running statistics with the batch's, whatever the
    momentum.
    """

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.started = nnx.Variable(jnp.zeros((), jnp.bool_))

    def update(self, x, mean, var):
        m = jnp.where(self.started[...], self.momentum, 0.0)
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * sg(mean)
        self.running_var[...] = m * self.running_var[...] + (1 - m) * sg(var)
        self.started[...] = jnp.ones((), jnp.bool_)


class MomentumFalsy(Base):
    """`momentum or 0.99` turns a momentum of zero into 0.99."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum or 0.99, eps, rngs)


class MomentumCapped(Base):
    """The momentum is capped at 0.999, so a momentum of one still moves the statistics."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, min(momentum, 0.999), eps, rngs)


class MomentumBFloat(Base):
    """The momentum is rounded to bfloat16 before it is used."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, float(jnp.bfloat16(momentum)), eps, rngs)


class UpdateThenNormalise(Base):
    """Training updates the running statistics first and normalises with them."""

    def train_call(self, x):
        self.update(x, *self.batch_stats(x))
        return self.eval_call(x)


class WestVariance(Base):
    """The running variance also gains momentum*(1-momentum)*(mean-running_mean)^2, the spread of
    the means.
    """

    def update(self, x, mean, var):
        m = self.momentum
        extra = m * (1 - m) * jnp.square(sg(mean) - self.running_mean[...])
        super().update(x, mean, var)
        self.running_var[...] = self.running_var[...] + extra


class SingletonSkipped(Base):
    """A batch of one row does not update the running statistics."""

    def update(self, x, mean, var):
        if x.shape[0] > 1:
            super().update(x, mean, var)


class TfNumUpdates(Base):
    """The momentum is min(momentum, (1+t)/(10+t)) as in TensorFlow's ExponentialMovingAverage with
    num_updates.
    """

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.t = nnx.Variable(jnp.zeros((), jnp.float32))

    def step(self, running, batch):
        t = self.t[...]
        m = jnp.minimum(self.momentum, (1 + t) / (10 + t))
        return m * running + (1 - m) * sg(batch)

    def update(self, x, mean, var):
        super().update(x, mean, var)
        self.t[...] = self.t[...] + 1


class StdDomainAverage(Base):
    """The running variance is averaged as a standard deviation and squared again."""

    def update(self, x, mean, var):
        self.running_mean[...] = self.step(self.running_mean[...], mean)
        self.running_var[...] = jnp.square(
            self.step(jnp.sqrt(self.running_var[...]), jnp.sqrt(sg(var)))
        )


class DelayedUpdate(Base):
    """The running statistics take in the previous call's batch, one step late."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.pending_mean = nnx.Variable(jnp.zeros((d,), jnp.float32))
        self.pending_var = nnx.Variable(jnp.ones((d,), jnp.float32))

    def update(self, x, mean, var):
        super().update(x, self.pending_mean[...], self.pending_var[...])
        self.pending_mean[...] = sg(mean)
        self.pending_var[...] = sg(var)


class LaneTailNotUpdated(Base):
    """With four or more features the vectorised update forgets the columns after the last multiple
    of four.
    """

    def update(self, x, mean, var):
        d = x.shape[1]
        k = d // 4 * 4 if d >= 4 else d
        rm, rv = self.running_mean[...], self.running_var[...]
        self.running_mean[...] = rm.at[:k].set(self.step(rm, mean)[:k])
        self.running_var[...] = rv.at[:k].set(self.step(rv, var)[:k])


class HalfStoredStatistics(Base):
    """The new running statistics are rounded to bfloat16 on every update."""

    def step(self, running, batch):
        return super().step(running, batch).astype(jnp.bfloat16).astype(jnp.float32)


class BatchSizeScaledMomentum(Base):
    """The momentum is raised to the power N/32 to correct for the batch size."""

    def update(self, x, mean, var):
        m = self.momentum ** (x.shape[0] / 32)
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * sg(mean)
        self.running_var[...] = m * self.running_var[...] + (1 - m) * sg(var)
