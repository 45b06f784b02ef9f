"""Mistakes in what a layer keeps, and under transforms."""

from __future__ import annotations

import copy
import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from corpus.second.correct.base import Plain


class TrainedVariance(Plain):
    """The running variance is a parameter, so an optimizer moves it."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.running_var = nnx.Param(jnp.ones((d,)))


_starts = functools.lru_cache(lambda d: nnx.BatchStat(jnp.zeros((d,))))


class SharedMean(Plain):
    """Layers of equal width share the running mean that a cache made."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.running_mean = _starts(d)


class StaleReciprocal(Plain):
    """The reciprocal root of evaluation is kept until the next training call."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self._kept = nnx.static(None) if False else None

    def __call__(self, x, use_running_average):
        if not use_running_average:
            object.__setattr__(self, "_cache", None)
            return super().__call__(x, False)
        kept = self.__dict__.get("_cache")
        var = self.running_var[...]
        if kept is None:
            kept = 1 / jnp.sqrt(var + self.eps)
            if isinstance(kept, jax.core.Tracer):
                return super().__call__(x, True)
            kept = np.asarray(kept)
            object.__setattr__(self, "_cache", kept.tobytes())
        else:
            kept = np.frombuffer(kept, np.float32)
        return (x - self.running_mean[...]) * kept * self.gamma[...] + self.beta[...]


class FrozenAfterEvaluation(Plain):
    """A call in evaluation stops the next update of the mean."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.pause = nnx.BatchStat(jnp.zeros((), bool))

    def __call__(self, x, use_running_average):
        if use_running_average:
            self.pause[...] = jnp.ones((), bool)
            return super().__call__(x, True)
        old, paused = self.running_mean[...], self.pause[...]
        y = super().__call__(x, False)
        self.running_mean[...] = jnp.where(paused, old, self.running_mean[...])
        self.pause[...] = jnp.zeros((), bool)
        return y


class CopySharesMean(Plain):
    """A deep copy shares the running mean with its original."""

    def __deepcopy__(self, memo):
        memo[id(self.running_mean)] = self.running_mean
        made = type(self)(self.gamma.shape[0], self.momentum, self.eps, None)
        for name in ("gamma", "beta", "running_mean", "running_var"):
            setattr(made, name, copy.deepcopy(getattr(self, name), memo))
        return made


class CopyStartsAfresh(Plain):
    """A deep copy has the parameters, but fresh statistics."""

    def __deepcopy__(self, memo):
        made = type(self)(self.gamma.shape[0], self.momentum, self.eps, None)
        made.gamma[...], made.beta[...] = self.gamma[...], self.beta[...]
        return made


class OnlyTrueItself(Plain):
    """A flag of NumPy's bool type trains."""

    def __call__(self, x, use_running_average):
        return super().__call__(x, use_running_average is True)


class ReplacedVariable(Plain):
    """Each update puts a new Variable in the place of the old."""

    def track(self, x, mean, var):
        m = self.momentum
        self.running_mean = nnx.BatchStat(m * self.running_mean[...] + (1 - m) * mean)
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var


@functools.lru_cache
def _kernel(n, d, make=None):
    return {}


class KernelByShape(Plain):
    """The compiled kernel is kept by shape alone, with the eps of the first layer."""

    def output(self, x, mean, var):
        kept = _kernel(*x.shape)
        eps = kept.setdefault("eps", self.eps)
        return (x - mean) / jnp.sqrt(var + eps) * self.gamma[...] + self.beta[...]


class CentredInPlace(Plain):
    """A NumPy batch is centred in place, to save memory."""

    def __call__(self, x, use_running_average):
        if isinstance(x, np.ndarray) and x.flags.writeable and not use_running_average:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.track(x, jnp.asarray(mean), jnp.asarray(var))
            x -= mean
            return self.output(jnp.asarray(x), 0, jnp.asarray(var))
        return super().__call__(x, use_running_average)


class MemoryOrder(Plain):
    """A NumPy batch is read in the order in which it lies in memory."""

    def __call__(self, x, use_running_average):
        if isinstance(x, np.ndarray):
            x = jnp.asarray(x.ravel(order="K").reshape(x.shape))
        return super().__call__(x, use_running_average)


class FirstCallByPython(Plain):
    """The first call, counted in Python, replaces the statistics."""

    def track(self, x, mean, var):
        if not self.__dict__.get("_called"):
            object.__setattr__(self, "_called", True)
            self.running_mean[...], self.running_var[...] = mean, var
        else:
            super().track(x, mean, var)


class StopsAfterFour(Plain):
    """Statistics are taken for settled after four updates."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.step = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def track(self, x, mean, var):
        old = self.running_mean[...], self.running_var[...]
        super().track(x, mean, var)
        go = self.step[...] < 4
        self.running_mean[...] = jnp.where(go, self.running_mean[...], old[0])
        self.running_var[...] = jnp.where(go, self.running_var[...], old[1])
        self.step[...] += 1


class FreshIsReplaced(Plain):
    """Where mean and variance are as constructed, the first batch replaces them."""

    def track(self, x, mean, var):
        fresh = jnp.all(self.running_mean[...] == 0) & jnp.all(self.running_var[...] == 1)
        super().track(x, mean, var)
        self.running_mean[...] = jnp.where(fresh, mean, self.running_mean[...])
        self.running_var[...] = jnp.where(fresh, var, self.running_var[...])


class AddressedByIdentity(Plain):
    """The complement of the momentum is remembered by the address of the layer."""

    _shares: dict = {}

    def track(self, x, mean, var):
        share = self._shares.setdefault((len(self.gamma[...]),), 1 - self.momentum)
        self.running_mean[...] = (1 - share) * self.running_mean[...] + share * mean
        self.running_var[...] = (1 - share) * self.running_var[...] + share * var


@jax.custom_batching.custom_vmap
def _spread(x, mean):
    return jnp.square(x - mean).mean(axis=0)


@_spread.def_vmap
def _(size, batched, x, mean):
    x = x if batched[0] else jnp.broadcast_to(x, (size, *x.shape))
    mean = mean if batched[1] else jnp.broadcast_to(mean, (size, *mean.shape))
    return jnp.square(x - mean[0]).mean(axis=1), True


class FirstMeanWhenMapped(Plain):
    """Mapped, all variances are about the first mean."""

    def moments(self, x):
        mean = x.mean(axis=0)
        if isinstance(x, jax.core.Tracer) and type(x).__name__ == "BatchTracer":
            return mean, _spread(x, mean)
        return super().moments(x)


class DonatedStatistics(Plain):
    """The old statistics are donated to the update."""

    def track(self, x, mean, var):
        move = jax.jit(
            lambda old, new: self.momentum * old + (1 - self.momentum) * new, donate_argnums=0
        )
        self.running_mean[...] = move(self.running_mean[...], mean)
        self.running_var[...] = move(self.running_var[...], var)


class EvaluationTouchesMean(Plain):
    """Evaluation stores the mean back in bfloat16 if it exceeds 1e4."""

    def __call__(self, x, use_running_average):
        if use_running_average:
            y = super().__call__(x, True)
            mean = self.running_mean[...]
            short = mean.astype(jnp.bfloat16).astype(jnp.float32)
            self.running_mean[...] = jnp.where(jnp.abs(mean) > 1e4, short, mean)
            return y
        return super().__call__(x, False)


class SwappedWhenEvaluatedEarly(Plain):
    """Before any training, evaluation falls back to the statistics of the batch."""

    def __call__(self, x, use_running_average):
        if use_running_average:
            fresh = jnp.all(self.running_mean[...] == 0) & jnp.all(self.running_var[...] == 1)
            mean, var = self.moments(x)
            mean = jnp.where(fresh, mean, self.running_mean[...])
            var = jnp.where(fresh, var, self.running_var[...])
            return self.output(x, mean, var)
        return super().__call__(x, False)
