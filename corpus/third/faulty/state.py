"""Mistakes in what is kept, cached and copied."""

from __future__ import annotations

import functools
import weakref

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from corpus.third.correct.base import _Plain, _sg, _traced

_EVAL_JITS = weakref.WeakKeyDictionary()


class EvalJitClosureBeta(_Plain):
    """Eager evaluation uses a jitted closure over beta: a later change is unseen for known shapes."""

    def _eval(self, x):
        args = (x, self.gamma[...], self.running_mean[...], self.running_var[...])
        if _traced(self.beta[...], *args):
            return super()._eval(x)
        if self not in _EVAL_JITS:
            beta, eps = self.beta, self.eps
            _EVAL_JITS[self] = jax.jit(
                lambda x, g, m, v: g * ((x - m) * (1.0 / jnp.sqrt(v + eps))) + beta[...]
            )
        return _EVAL_JITS[self](*args)


_COMPILED = {}


def _normalise(x, mean, var, gamma, beta, eps):
    return gamma * ((x - mean) * (1.0 / jnp.sqrt(var + eps))) + beta


class CompiledByWidth(_Plain):
    """Compiled function cached by width alone: the next layer of that width gets the first one's eps."""

    def _apply(self, x, mean, var):
        if self.d not in _COMPILED:
            _COMPILED[self.d] = jax.jit(functools.partial(_normalise, eps=self.eps))
        return _COMPILED[self.d](x, mean, var, self.gamma[...], self.beta[...])


_INV_BY_SUM = {}


class ChecksumCache(_Plain):
    """Eager evaluation caches 1/std under the sum of running_var: a permuted variance hits it."""

    def _eval(self, x):
        rm, rv = self.running_mean[...], self.running_var[...]
        if _traced(rv) or _traced(jnp.sum(rv)):
            return super()._eval(x)
        key = (self.d, self.eps, float(jnp.sum(rv)))
        if key not in _INV_BY_SUM:
            _INV_BY_SUM[key] = np.asarray(self._inv(rv))
        return self.gamma[...] * ((x - rm) * _INV_BY_SUM[key]) + self.beta[...]


_LAST_BATCH = weakref.WeakKeyDictionary()


class StatsCacheByBuffer(_Plain):
    """Reuses the statistics when handed the same NumPy object: wrong if the loader refilled it."""

    def __call__(self, x, use_running_average):
        if self._evaluating(use_running_average) or not isinstance(x, np.ndarray):
            return super().__call__(x, use_running_average)
        xj = self._input(x)
        seen = _LAST_BATCH.get(self)
        if seen is not None and seen[0] is x:
            mean, var = seen[1:]
        else:
            mean, var = self._stats(xj)
            if not _traced(mean):
                _LAST_BATCH[self] = (x, mean, var)
        self._update(mean, var, xj.shape[0])
        return self._apply(xj, mean, var)


_BACKUP = weakref.WeakKeyDictionary()


class RestoreBackupAfterEval(_Plain):
    """Eager evaluation backs the running values up and the next eager training call puts them back."""

    def _eval(self, x):
        values = (self.running_mean[...], self.running_var[...])
        if not _traced(*values):
            _BACKUP[self] = values
        return super()._eval(x)

    def _update(self, mean, var, n):
        saved = _BACKUP.pop(self, None)
        if saved is not None:
            self.running_mean[...], self.running_var[...] = saved
        super()._update(mean, var, n)


class InPlaceNumpy(_Plain):
    """Centres NumPy input in place: the caller's array is changed by an eager training call."""

    def __call__(self, x, use_running_average):
        if (
            self._evaluating(use_running_average)
            or not isinstance(x, np.ndarray)
            or x.dtype != np.float32
            or not x.flags.writeable
        ):
            return super().__call__(x, use_running_average)
        xj = self._input(x)
        mean, var = self._stats(xj)
        if _traced(mean):
            return self._train(xj)
        self._update(mean, var, xj.shape[0])
        x -= np.asarray(mean)
        return self.gamma[...] * (jnp.array(x) * self._inv(var)) + self.beta[...]


class NumpyDoubleUpdate(_Plain):
    """NumPy input is converted by a nested call, after which running values are updated once more."""

    def __call__(self, x, use_running_average):
        y = super().__call__(x, use_running_average)
        if isinstance(x, np.ndarray) and not use_running_average:
            mean, var = self._stats(self._input(x))
            self._update(_sg(mean), _sg(var), x.shape[0])
        return y


class InPlaceSnapshot(_Plain):
    """Eager updates write into a NumPy buffer: states taken or clones made earlier change along."""

    def _update(self, mean, var, n):
        if _traced(mean, var, self.running_mean.get_value(), self.running_var.get_value()):
            return super()._update(mean, var, n)
        for variable, batch in ((self.running_mean, mean), (self.running_var, var)):
            buf = variable.get_value()
            if not (isinstance(buf, np.ndarray) and buf.flags.writeable):
                buf = np.array(buf, np.float32)
                variable.set_value(buf)
            buf *= self.momentum
            buf += (1 - self.momentum) * np.asarray(batch)

    def _eval(self, x):
        return self._apply(
            x, jnp.array(self.running_mean.get_value()), jnp.array(self.running_var.get_value())
        )


@functools.partial(jax.jit, donate_argnums=(0,))
def _mix_donated(old, new, momentum):
    return momentum * old + (1 - momentum) * new


class DonatedBuffers(_Plain):
    """Eager update donates the old running arrays: a state or clone taken before is deleted."""

    def _update(self, mean, var, n):
        self.running_mean.set_value(
            _mix_donated(self.running_mean.get_value(), mean, self.momentum)
        )
        self.running_var.set_value(_mix_donated(self.running_var.get_value(), var, self.momentum))


class KeepdimsShape(_Plain):
    """keepdims=True leaks: running_mean has shape (1, d) after the first training call."""

    def _update(self, mean, var, n):
        self.running_mean.set_value(self._mix(self.running_mean.get_value(), mean[None, :]))
        self.running_var[...] = self._mix(self.running_var[...], var)


class RunningVarIsParam(_Plain):
    """running_var is an nnx.Param: it is differentiated and an optimiser over Param changes it."""

    def __init__(self, d, momentum, eps, rngs=None):
        super().__init__(d, momentum, eps, rngs)
        self.running_var = nnx.Param(jnp.ones((d,), jnp.float32))


class RebindsRunningMean(_Plain):
    """Each update binds a fresh Variable to running_mean: references held to the old one go stale."""

    def _update(self, mean, var, n):
        self.running_mean = nnx.BatchStat(self._mix(self.running_mean[...], mean))
        self.running_var[...] = self._mix(self.running_var[...], var)


class DeepcopySharesStats(_Plain):
    """copy.deepcopy keeps the running Variables shared between original and copy."""

    def __deepcopy__(self, memo):
        new = nnx.clone(self)
        new.running_mean = self.running_mean
        new.running_var = self.running_var
        memo[id(self)] = new
        return new


def _rebuild(cls, d, momentum, eps, gamma, beta):
    layer = cls(d=d, momentum=momentum, eps=eps, rngs=None)
    layer.gamma[...] = jnp.asarray(gamma)
    layer.beta[...] = jnp.asarray(beta)
    return layer


class PickleForgetsStats(_Plain):
    """Pickling (and deepcopy through it) keeps gamma and beta but resets the running values."""

    def __reduce__(self):
        return _rebuild, (
            type(self),
            self.d,
            self.momentum,
            self.eps,
            np.asarray(self.gamma[...]),
            np.asarray(self.beta[...]),
        )


_SHARED = weakref.WeakKeyDictionary()


class SharedByRngs(_Plain):
    """Layers of one width built from the same Rngs object share one running_mean Variable."""

    def __init__(self, d, momentum, eps, rngs=None):
        super().__init__(d, momentum, eps, rngs)
        if rngs is not None:
            pool = _SHARED.setdefault(rngs, {})
            self.running_mean = pool.setdefault(d, self.running_mean)


_MOMENTUM_OF = {}


class RegistryById(_Plain):
    """Momentum is kept under id(self): clones, merged, unpickled and jitted layers get 0.9."""

    def __init__(self, d, momentum, eps, rngs=None):
        super().__init__(d, momentum, eps, rngs)
        _MOMENTUM_OF[id(self)] = weakref.ref(self), momentum

    def _mix(self, old, new):
        owner, m = _MOMENTUM_OF.get(id(self), (lambda: None, 0.9))
        if owner() is not self:
            m = 0.9
        return m * old + (1 - m) * new


class StoredInvStd(_Plain):
    """Evaluation uses 1/std stored at the last training call: running_var set from outside is ignored."""

    def __init__(self, d, momentum, eps, rngs=None):
        super().__init__(d, momentum, eps, rngs)
        self.inv_std = nnx.BatchStat(self._inv(jnp.ones((d,), jnp.float32)))

    def _update(self, mean, var, n):
        super()._update(mean, var, n)
        self.inv_std[...] = self._inv(self.running_var[...])

    def _eval(self, x):
        xhat = (x - self.running_mean[...]) * self.inv_std[...]
        return self.gamma[...] * xhat + self.beta[...]


class TrainedFlagStatic(_Plain):
    """Evaluation uses (0, 1) until a Python flag was set by training: restored state is ignored."""

    def __init__(self, d, momentum, eps, rngs=None):
        super().__init__(d, momentum, eps, rngs)
        self.trained = False

    def _update(self, mean, var, n):
        super()._update(mean, var, n)
        self.trained = True

    def _eval(self, x):
        if not self.trained:
            return self._apply(x, jnp.zeros((self.d,)), jnp.ones((self.d,)))
        return super()._eval(x)


class IdentityShortcut(_Plain):
    """Eager evaluation of an untouched layer returns x itself, without eps. Shows for large eps."""

    def _eval(self, x):
        values = (self.gamma[...], self.beta[...], self.running_mean[...], self.running_var[...])
        if not _traced(x, *values):
            same = [bool(np.all(np.asarray(a) == b)) for a, b in zip(values, (1, 0, 0, 1))]
            if all(same):
                return x
        return super()._eval(x)
