"""Correct layers: the flag, and transforms inside of the layer."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from corpus.first.correct.shared import F32, _Plain


def _known(flag):
    return not isinstance(flag, jax.core.Tracer)


class CondFlag(_Plain):
    """lax.cond on the flag, so that a traced flag works as well; a known True writes nothing."""

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        old = (jnp.asarray(self.running_mean[...]), jnp.asarray(self.running_var[...]))

        def from_batch(x, mean, var):
            mean = jnp.mean(x, axis=0)
            return mean, jnp.mean(jnp.square(x - mean), axis=0), 1.0 - self.momentum

        def from_state(x, mean, var):
            return mean, var, 0.0

        flag = jnp.asarray(use_running_average, bool)
        mean, var, rate = lax.cond(flag, from_state, from_batch, x, *old)
        if not (_known(use_running_average) and bool(use_running_average)):
            blend = lambda o, n: jnp.where(flag, o, (1 - rate) * o + rate * n)  # noqa: E731
            self.running_mean[...] = lax.stop_gradient(blend(old[0], mean))
            self.running_var[...] = lax.stop_gradient(blend(old[1], var))
        return self._affine(x, mean, var)


class WhereFlag(_Plain):
    """Both branches are computed, jnp.where picks; the unused one sees zeros (safe gradients)."""

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        flag = jnp.asarray(use_running_average, bool)
        old_mean, old_var = self.running_mean[...], self.running_var[...]
        safe = jnp.where(flag, 0.0, x)
        batch_mean = safe.mean(axis=0)
        batch_var = jnp.square(safe - batch_mean).mean(axis=0)
        mean = jnp.where(flag, old_mean, batch_mean)
        var = jnp.where(flag, old_var, batch_var)
        if not (_known(use_running_average) and bool(use_running_average)):
            m = self.momentum
            for cell, old, new in (
                (self.running_mean, old_mean, batch_mean),
                (self.running_var, old_var, batch_var),
            ):
                cell[...] = lax.stop_gradient(jnp.where(flag, old, m * old + (1 - m) * new))
        return self._affine(x, mean, var)


class DispatchTable(_Plain):
    """The flag indexes a pair of methods; there is no if statement in the layer."""

    def _train(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0, mean=mean[None, :])
        self._remember(mean, var)
        return mean, var

    def _infer(self, x):
        return self.running_mean[...], self.running_var[...]

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        return self._affine(x, *(self._train, self._infer)[bool(use_running_average)](x))


class StrictArguments(_Plain):
    """Checks everything early: rank, width, type of the flag (bool, np.bool_, 0-d bool array)."""

    def __init__(self, d, momentum, eps, rngs):
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must lie in [0, 1], not {momentum}")
        if eps < 0:
            raise ValueError(f"eps must not be negative, got {eps}")
        super().__init__(d, momentum, eps, rngs)
        self.width = int(d)

    def __call__(self, x, use_running_average):
        if np.ndim(x) != 2 or np.shape(x)[1] != self.width:
            raise ValueError(f"expected (N, {self.width}), got {np.shape(x)}")
        if np.ndim(use_running_average) != 0:
            raise ValueError("use_running_average must be a scalar")
        x = jnp.asarray(x, dtype=F32)
        if bool(use_running_average):
            return self._affine(x, self.running_mean[...], self.running_var[...])
        mean = jnp.true_divide(jnp.sum(x, axis=0), x.shape[0])
        var = jnp.true_divide(jnp.sum(jnp.abs(x - mean) ** 2, axis=0), x.shape[0])
        self._remember(mean, var)
        return self._affine(x, mean, var)


@functools.partial(jax.jit, static_argnames=("eps", "momentum", "frozen"))
def _pure_step(x, gamma, beta, mean, var, *, eps, momentum, frozen):
    if frozen:
        return gamma * (x - mean) / jnp.sqrt(var + eps) + beta, mean, var
    mu = jnp.mean(x, axis=0)
    c = x - mu
    v = jnp.mean(c * c, axis=0)
    blend = lambda o, n: lax.stop_gradient(momentum * o + (1 - momentum) * n)  # noqa: E731
    return gamma * c / jnp.sqrt(v + eps) + beta, blend(mean, mu), blend(var, v)


class InnerJit(_Plain):
    """The module is a shell around one jitted pure function with static hyper-parameters."""

    def __call__(self, x, use_running_average):
        frozen = bool(use_running_average)
        y, mean, var = _pure_step(
            jnp.asarray(x, F32),
            self.gamma[...],
            self.beta[...],
            self.running_mean[...],
            self.running_var[...],
            eps=self.eps,
            momentum=self.momentum,
            frozen=frozen,
        )
        if not frozen:
            self.running_mean[...], self.running_var[...] = mean, var
        return y


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _bn(x, gamma, beta, eps):
    return _bn_forward(x, gamma, beta, eps)[0]


def _bn_forward(x, gamma, beta, eps):
    mean = jnp.mean(x, axis=0)
    var = jnp.mean(jnp.square(x - mean), axis=0)
    inverse = lax.rsqrt(var + eps)
    normal = (x - mean) * inverse
    return (gamma * normal + beta, mean, var), (x, mean, normal, inverse, gamma)


def _bn_backward(eps, residuals, cotangents):
    x, mean, normal, inverse, gamma = residuals
    dy, dmean, dvar = cotangents
    n = x.shape[0]
    dbeta = jnp.sum(dy, axis=0)
    dgamma = jnp.sum(dy * normal, axis=0)
    dx = gamma * inverse * (dy - dbeta / n - normal * (dgamma / n))
    dx = dx + dmean / n + dvar * 2 * (x - mean) / n
    return dx, dgamma, dbeta


_bn.defvjp(_bn_forward, _bn_backward)


class HandWrittenBackward(_Plain):
    """jax.custom_vjp with the classic batch-norm backward pass (and cotangents of mean, var)."""

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        if use_running_average:
            return self._affine(x, self.running_mean[...], self.running_var[...])
        gamma, beta = jnp.asarray(self.gamma[...]), jnp.asarray(self.beta[...])
        y, mean, var = _bn(x, gamma, beta, self.eps)
        self._remember(mean, var)
        return y


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _whiten(x, eps):
    c = x - jnp.mean(x, axis=0)
    return c / jnp.sqrt(jnp.mean(c * c, axis=0) + eps)


@_whiten.defjvp
def _whiten_jvp(eps, primals, tangents):
    (x,), (t,) = primals, tangents
    z = _whiten(x, eps)
    c = x - jnp.mean(x, axis=0)
    inverse = lax.rsqrt(jnp.mean(c * c, axis=0) + eps)
    return z, inverse * (t - jnp.mean(t, axis=0) - z * jnp.mean(z * t, axis=0))


class HandWrittenTangent(_Plain):
    """jax.custom_jvp on the normalisation; the running statistics are computed beside it."""

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        if use_running_average:
            return self._affine(x, self.running_mean[...], self.running_var[...])
        fixed = lax.stop_gradient(x)
        mean = fixed.mean(axis=0)
        self._remember(mean, jnp.square(fixed - mean).mean(axis=0))
        return self.gamma[...] * _whiten(x, self.eps) + self.beta[...]


class Rematerialised(_Plain):
    """The normalisation is wrapped in jax.checkpoint and recomputed in the backward pass."""

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        if use_running_average:
            return self._affine(x, self.running_mean[...], self.running_var[...])

        @jax.checkpoint
        def body(x, gamma, beta):
            mean = jnp.mean(x, axis=0)
            var = jnp.mean(jnp.square(x - mean), axis=0)
            y = (x - mean) * lax.rsqrt(var + self.eps) * gamma + beta
            return y, (lax.stop_gradient(mean), lax.stop_gradient(var))

        y, statistics = body(x, self.gamma[...], self.beta[...])
        self._remember(*statistics)
        return y
