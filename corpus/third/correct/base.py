"""What the faulty layers of the third blind test change in one place."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

_sg = lax.stop_gradient


def _traced(*arrays):
    return any(isinstance(a, jax.core.Tracer) for a in arrays)


class _Plain(nnx.Module):
    """Correct layer, cut in small steps."""

    def __init__(self, d, momentum, eps, rngs=None):
        self.d = d
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((d,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((d,), jnp.float32))
        self.running_mean = nnx.BatchStat(jnp.zeros((d,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((d,), jnp.float32))

    def __call__(self, x, use_running_average):
        x = self._input(x)
        if self._evaluating(use_running_average):
            return self._eval(x)
        return self._train(x)

    def _input(self, x):
        if not isinstance(x, jax.Array):
            x = jnp.array(x, jnp.float32)  # a copy: never an alias of the caller's buffer
        if x.ndim != 2 or x.shape[1] != self.d:
            raise ValueError(f"expected (N, {self.d}), got {x.shape}")
        return x

    def _evaluating(self, flag):
        return bool(flag)

    def _eval(self, x):
        return self._apply(x, self.running_mean[...], self.running_var[...])

    def _train(self, x):
        mean, var = self._stats(x)
        self._update(_sg(mean), _sg(var), x.shape[0])
        return self._apply(x, mean, var)

    def _stats(self, x):
        mean = jnp.mean(x, axis=0)
        xc = x - mean
        return mean, jnp.mean(xc * xc, axis=0)

    def _mix(self, old, new):
        return self.momentum * old + (1 - self.momentum) * new

    def _update(self, mean, var, n):
        self.running_mean[...] = self._mix(self.running_mean[...], mean)
        self.running_var[...] = self._mix(self.running_var[...], var)

    def _inv(self, var):
        return 1.0 / jnp.sqrt(var + self.eps)

    def _apply(self, x, mean, var):
        return self.gamma[...] * ((x - mean) * self._inv(var)) + self.beta[...]


def _moments(x):
    mean = jnp.mean(x, axis=0)
    xc = x - mean
    return mean, jnp.mean(xc * xc, axis=0)


def _forward(x, gamma, beta, eps):
    mean, var = _moments(x)
    inv = 1.0 / jnp.sqrt(var + eps)
    xhat = (x - mean) * inv
    return gamma * xhat + beta, xhat, inv, var


def _fwd_ok(x, gamma, beta, eps):
    y, xhat, inv, var = _forward(x, gamma, beta, eps)
    return y, (xhat, inv, gamma)


def _bwd_ok(eps, res, g):
    xhat, inv, gamma = res
    n = g.shape[0]
    dbeta = jnp.sum(g, axis=0)
    dgamma = jnp.sum(g * xhat, axis=0)
    dx = gamma * inv * (g - dbeta / n - xhat * (dgamma / n))
    return dx, dgamma, dbeta


def _make(fwd=_fwd_ok, bwd=_bwd_ok):
    @functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
    def f(x, gamma, beta, eps):
        return _forward(x, gamma, beta, eps)[0]

    f.defvjp(fwd, bwd)
    return f


class _Fused(_Plain):
    """Correct layer whose training pass has a hand-written backward."""

    _f = staticmethod(_make())

    def _train(self, x):
        mean, var = self._stats(_sg(x))
        self._update(_sg(mean), _sg(var), x.shape[0])
        return self._f(x, self.gamma[...], self.beta[...], self.eps)
