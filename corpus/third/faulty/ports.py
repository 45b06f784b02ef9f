"""Slips of learners and of ports from other frameworks."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from corpus.third.correct.base import _Plain, _sg


class UnbiasedRunningVar(_Plain):
    """PyTorch port: stores the unbiased variance N/(N-1) in running_var. Shows for N > 1."""

    def _update(self, mean, var, n):
        super()._update(mean, var * (n / max(n - 1, 1)), n)


class _Counted(_Plain):
    def __init__(self, d, momentum, eps, rngs=None):
        super().__init__(d, momentum, eps, rngs)
        self.count = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def _update(self, mean, var, n):
        super()._update(mean, var, n)
        self.count[...] = self.count[...] + 1


class DebiasedEval(_Counted):
    """Haiku port: evaluation removes the bias of the initial values (0, 1) from the averages."""

    def _eval(self, x):
        old = jnp.asarray(self.momentum, jnp.float32) ** self.count[...]
        new = 1 - old
        ok = (self.count[...] > 0) & (new > 0)
        safe = jnp.where(ok, new, 1.0)
        rm, rv = self.running_mean[...], self.running_var[...]
        mean = jnp.where(ok, rm / safe, rm)
        var = jnp.where(ok, jnp.maximum(rv - old, 0.0) / safe, rv)
        return self._apply(x, mean, var)


class MomentumFalsy(_Plain):
    """`momentum or 0.9`: shows only for momentum = 0."""

    def __init__(self, d, momentum, eps, rngs=None):
        super().__init__(d, momentum or 0.9, eps, rngs)


class MomentumClipped(_Plain):
    """Momentum limited to 0.999: shows for momentum = 1 (running values should stay put)."""

    def __init__(self, d, momentum, eps, rngs=None):
        super().__init__(d, min(momentum, 0.999), eps, rngs)


class FrozenWhenMomentumOne(_Plain):
    """Takes momentum = 1 for 'frozen' and normalises training batches with running statistics."""

    def _train(self, x):
        if self.momentum == 1:
            return self._eval(x)
        return super()._train(x)


class MixtureVariance(_Plain):
    """Adds the between-batches term m(1-m)(mean-running_mean)^2 to running_var ('proper pooling')."""

    def _update(self, mean, var, n):
        m = self.momentum
        delta = mean - self.running_mean[...]
        self.running_mean[...] = self._mix(self.running_mean[...], mean)
        self.running_var[...] = self._mix(self.running_var[...], var) + m * (1 - m) * delta * delta


class SingletonUsesRunning(_Plain):
    """A training batch with N = 1 is normalised with the running statistics."""

    def _train(self, x):
        y = super()._train(x)
        return self._eval(x) if x.shape[0] == 1 else y


class SqueezeBatchOne(_Plain):
    """Squeezes x before the reduction: with N = 1 (and D > 1) the mean runs over the features."""

    def _stats(self, x):
        xs = jnp.squeeze(x)
        if xs.ndim == 0:
            return super()._stats(x)
        mean = jnp.mean(xs, axis=0)
        var = jnp.mean((xs - mean) ** 2, axis=0)
        return jnp.broadcast_to(mean, (self.d,)), jnp.broadcast_to(var, (self.d,))


class FeatureAxisByIndex(_Plain):
    """Finds the feature axis by x.shape.index(d): shows only when N == D."""

    def _train(self, x):
        if x.shape.index(self.d) == 0:
            return super()._train(x.T).T
        return super()._train(x)

    def _eval(self, x):
        if x.shape.index(self.d) == 0:
            return super()._eval(x.T).T
        return super()._eval(x)


class ReshapeInsteadOfCheck(_Plain):
    """Reshapes to (-1, d) in place of a check: (6, 2) is accepted by a layer with d = 3."""

    def _input(self, x):
        if not isinstance(x, jax.Array):
            x = jnp.array(x, jnp.float32)
        return x.reshape(-1, self.d)


class ChecksLate(_Plain):
    """Training on a (N, 1) batch with d > 1 raises, but only after running values were overwritten."""

    def _input(self, x):
        return x if isinstance(x, jax.Array) else jnp.array(x, jnp.float32)

    def _train(self, x):
        mean, var = self._stats(x)
        self._update(_sg(mean), _sg(var), x.shape[0])
        super()._input(x)
        return self._apply(x, mean, var)

    def _eval(self, x):
        return super()._eval(super()._input(x))


class SingleFeatureCov(_Plain):
    """D = 1 goes through jnp.cov, which divides by N - 1. Shows for D = 1 and N > 1."""

    def _stats(self, x):
        if self.d == 1 and x.shape[0] > 1:
            return jnp.mean(x, axis=0), jnp.cov(x[:, 0]).reshape(1)
        return super()._stats(x)


class ZeroRowsArePadding(_Plain):
    """Rows that are all zeros count as padding and are left out of the batch statistics."""

    def _stats(self, x):
        real = jnp.any(x != 0, axis=1, keepdims=True)
        n = jnp.maximum(jnp.sum(real), 1).astype(x.dtype)
        mean = jnp.sum(x, axis=0) / n
        xc = jnp.where(real, x - mean, 0.0)
        return mean, jnp.sum(xc * xc, axis=0) / n


class ConstantBatchSkipsUpdate(_Plain):
    """A batch without any variation (all rows equal, N = 1 included) leaves running values alone."""

    def _update(self, mean, var, n):
        rm, rv = self.running_mean[...], self.running_var[...]
        skip = jnp.all(var == 0)
        self.running_mean[...] = jnp.where(skip, rm, self._mix(rm, mean))
        self.running_var[...] = jnp.where(skip, rv, self._mix(rv, var))


class ZeroVarStoredAsOne(_Plain):
    """As StandardScaler: a constant feature counts as variance 1 in running_var (output is right)."""

    def _update(self, mean, var, n):
        super()._update(mean, jnp.where(var == 0, 1.0, var), n)


class AbsGamma(_Plain):
    """In-place-ABN port: scales with |gamma|. Shows for negative gamma."""

    def _apply(self, x, mean, var):
        return jnp.abs(self.gamma[...]) * ((x - mean) * self._inv(var)) + self.beta[...]


class CudnnMinEps(_Plain):
    """Raises eps to cuDNN's minimum of 1e-5. Shows for smaller eps and small variances."""

    def _inv(self, var):
        return 1.0 / jnp.sqrt(var + max(self.eps, 1e-5))


class ClipXhatTraining(_Plain):
    """Clips normalised values to [-5, 5] in training. Needs an outlier and N > 26."""

    def _train(self, x):
        mean, var = self._stats(x)
        self._update(_sg(mean), _sg(var), x.shape[0])
        xhat = jnp.clip((x - mean) * self._inv(var), -5.0, 5.0)
        return self.gamma[...] * xhat + self.beta[...]


class GhostBatches(_Plain):
    """Normalises in ghost batches of 64 rows when N is a multiple of 64 and at least 128."""

    def _train(self, x):
        n = x.shape[0]
        if n < 128 or n % 64:
            return super()._train(x)
        groups = x.reshape(n // 64, 64, self.d)
        mean = jnp.mean(groups, axis=1, keepdims=True)
        var = jnp.mean((groups - mean) ** 2, axis=1, keepdims=True)
        total_mean, total_var = self._stats(x)
        self._update(_sg(total_mean), _sg(total_var), n)
        return self._apply(groups, mean, var).reshape(n, self.d)


class EverySixteenthCopies(_Counted):
    """Counter kept modulo 16: training calls 17, 33, ... are taken for the first and copy the batch."""

    def _update(self, mean, var, n):
        c = self.count[...]
        restart = (c > 0) & (c % 16 == 0)
        rm, rv = self.running_mean[...], self.running_var[...]
        self.running_mean[...] = jnp.where(restart, mean, self._mix(rm, mean))
        self.running_var[...] = jnp.where(restart, var, self._mix(rv, var))
        self.count[...] = c + 1
