"""Derivatives by hand, and programs inside the layer."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from corpus.third.correct.shared import _F32, _HI, _Base, _sg
from corpus.third.correct.shifted import _whiten


class WhitenVjpStagewise(_Base):
    """custom_vjp only for whitening, derived stage by stage (xhat -> var -> dev -> x) from saved xhat and std; the affine part is left to autodiff."""

    def _train(self, x):
        xhat, mean, var = _whiten(x, self.eps)
        return self.beta[...] + self.gamma[...] * xhat, mean, var


def _plain_bn(x, gamma, beta, eps):
    mean = x[0] + jnp.mean(x - x[0], axis=0)
    dev = x - mean
    var = jnp.mean(dev * dev, axis=0)
    return gamma * dev / jnp.sqrt(var + eps) + beta, mean, var


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _recompute_bn(x, gamma, beta, eps):
    return _plain_bn(x, gamma, beta, eps)


_recompute_bn.defvjp(
    lambda x, gamma, beta, eps: (_plain_bn(x, gamma, beta, eps), (x, gamma, beta)),
    lambda eps, res, cts: jax.vjp(lambda *a: _plain_bn(*a, eps), *res)[1](cts),
)


class RecomputeInBackward(_Base):
    """custom_vjp that saves nothing but its inputs and calls jax.vjp on a recomputed forward in the backward pass, so the derivative is right by construction."""

    def _train(self, x):
        return _recompute_bn(x, self.gamma[...], self.beta[...], self.eps)

    def _evaluate(self, x):
        return (
            jax.nn.standardize(
                x,
                axis=0,
                mean=self.running_mean[...],
                variance=self.running_var[...],
                epsilon=self.eps,
            )
            * self.gamma[...]
            + self.beta[...]
        )


class HelmertContrasts(_Base):
    """Variance as the mean of squared Helmert contrasts of first-row-shifted data (Youngs-Cramer, vectorised by cumsum); the N-1 contrasts carry exactly the centred sum of squares."""

    def _train(self, x):
        n = x.shape[0]
        z = x - x[0]
        csum = jnp.cumsum(z, axis=0)
        k = jnp.arange(1, n, dtype=_F32)[:, None]
        contrast = z[1:] - csum[:-1] / k
        var = jnp.sum(contrast * contrast * (k / (k + 1.0)), axis=0) / n
        mu = csum[-1] / n
        return self._affine(z - mu, var), x[0] + mu, var


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _inv_std(var, eps):
    v = var + eps
    r = lax.rsqrt(v)
    # one Newton step, skipped where v is not finite (r * r * v would be 0 * inf)
    return jnp.where(jnp.isfinite(v), r * (1.5 - 0.5 * ((v * r) * r)), r)


@_inv_std.defjvp
def _inv_std_jvp(eps, primals, tangents):
    (var,), (t,) = primals, tangents
    r = _inv_std(var, eps)
    return r, t * (-0.5 * r / (var + eps))


class NewtonRsqrtJvp(_Base):
    """Reciprocal square root polished by one Newton step, with a custom_jvp giving -r/(2(var+eps)), used in both modes."""

    def _train(self, x):
        mean = jnp.mean(x, axis=0)
        dev = x - mean
        var = jnp.mean(jnp.square(dev), axis=0)
        return (self.gamma[...] * dev) * _inv_std(var, self.eps) + self.beta[...], mean, var

    def _evaluate(self, x):
        r = _inv_std(self.running_var[...], self.eps)
        return (x - self.running_mean[...]) * r * self.gamma[...] + self.beta[...]


class CheckpointedPerFeatureVmap(_Base):
    """A scalar-parameter function of one column, wrapped in jax.checkpoint and vmapped over features; rematerialisation changes memory, not values."""

    def _train(self, x):
        @jax.checkpoint
        def column(c, g, b):
            m = c.mean()
            dev = c - m
            v = (dev**2).mean()
            return g * dev * lax.rsqrt(v + self.eps) + b, m, v

        return jax.vmap(column, in_axes=(1, 0, 0), out_axes=(1, 0, 0))(
            x, self.gamma[...], self.beta[...]
        )


@functools.partial(jax.jit, static_argnames=("momentum", "eps"))
def _jitted_step(state, x, *, momentum, eps):
    mean, var = x.mean(0), x.var(0)
    y = state["g"] * (x - mean) / jnp.sqrt(var + eps) + state["b"]
    mix = jnp.asarray([momentum, 1.0 - momentum], _F32)
    pairs = jnp.stack([jnp.stack([state["m"], state["v"]]), jnp.stack([mean, var])])
    new = _sg(jnp.einsum("k,ksd->sd", mix, pairs, precision=_HI))
    return y, new[0], new[1]


class InnerJaxJit(nnx.Module):
    """The whole training step is a module-level jax.jit with momentum and eps static, and the running update is one contraction of [momentum, 1-momentum] with stacked statistics."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs):
        self.momentum = float(momentum)
        self.eps = float(eps)
        self.gamma = nnx.Param(jnp.ones((d,), _F32))
        self.beta = nnx.Param(jnp.zeros((d,), _F32))
        self.running_mean = nnx.BatchStat(jnp.zeros((d,), _F32))
        self.running_var = nnx.BatchStat(jnp.ones((d,), _F32))

    def __call__(self, x, use_running_average):
        d = self.gamma[...].shape[-1]
        if np.ndim(x) != 2 or np.shape(x)[-1] != d:
            raise ValueError("bad shape")
        x = jnp.asarray(x, _F32)
        g, b, m, v = (p[...] for p in (self.gamma, self.beta, self.running_mean, self.running_var))
        if use_running_average:
            return _jitted_eval(x, g, b, m, v, self.eps)
        y, m, v = _jitted_step(
            {"g": g, "b": b, "m": m, "v": v}, x, momentum=self.momentum, eps=self.eps
        )
        self.running_mean.set_value(m)
        self.running_var.set_value(v)
        return y


@jax.jit
def _jitted_eval(x, g, b, m, v, eps):
    return (x - m) / jnp.sqrt(v + eps) * g + b


@functools.cache
def _kernel_for(n, eps, momentum):
    """A jitted kernel specialised to (N, eps, momentum); it closes over Python and NumPy constants only."""
    weights = np.full((n,), 1.0 / n, np.float32)

    @jax.jit
    def kernel(x, g, b, rm, rv):
        mean = (weights[:, None] * x).sum(0)
        dev = x - mean
        slip = (weights[:, None] * dev).sum(0)
        dev = dev - slip
        var = (weights[:, None] * dev * dev).sum(0)
        y = g * dev / jnp.sqrt(var + eps) + b
        if momentum == 1.0:
            return y, rm, rv
        return (
            y,
            _sg(momentum * rm + (1.0 - momentum) * (mean + slip)),
            _sg(momentum * rv + (1.0 - momentum) * var),
        )

    return kernel


class CachedKernels(_Base):
    """Fetches a jitted kernel from an lru_cache keyed by everything it closes over (N, eps, momentum); no traced value is ever cached, momentum 1 returns the statistics themselves."""

    def __call__(self, x, use_running_average):
        x = self._take(x)
        if use_running_average:
            return self._evaluate(x)
        y, rm, rv = _kernel_for(x.shape[0], self.eps, self.momentum)(
            x, self.gamma[...], self.beta[...], self.running_mean[...], self.running_var[...]
        )
        self.running_mean.set_value(_sg(rm))
        self.running_var.set_value(_sg(rv))
        return y


class CondOnFlagArray(_Base):
    """Turns the flag into a boolean array and chooses with lax.cond; the state is written only if the Python flag is false, so evaluation also works where writing is not allowed."""

    def __call__(self, x, use_running_average):
        x = self._take(x)
        operands = (
            x,
            self.gamma[...],
            self.beta[...],
            self.running_mean[...],
            self.running_var[...],
        )

        def train(ops):
            x, g, b, rm, rv = ops
            mean = jnp.average(x, axis=0)
            dev = x - mean
            var = jnp.average(dev * dev, axis=0)
            m = self.momentum
            return (
                g * dev / jnp.sqrt(var + self.eps) + b,
                m * rm + (1.0 - m) * mean,
                m * rv + (1.0 - m) * var,
            )

        def evaluate(ops):
            x, g, b, rm, rv = ops
            return g * (x - rm) / jnp.sqrt(rv + self.eps) + b, rm, rv

        y, rm, rv = lax.cond(
            jnp.asarray(use_running_average, dtype=bool), evaluate, train, operands
        )
        if not use_running_average:
            self.running_mean.set_value(_sg(rm))
            self.running_var.set_value(_sg(rv))
        return y


class _Scaler(nnx.Module):
    def __init__(self, d):
        self.weight = nnx.Param(jnp.ones((d,), _F32))
        self.offset = nnx.Param(jnp.zeros((d,), _F32))

    def __call__(self, z):
        return z * self.weight[...] + self.offset[...]


class _Tracker(nnx.Module):
    def __init__(self, d, momentum):
        self.cells = nnx.Dict(
            mean=nnx.BatchStat(jnp.zeros((d,), _F32)), var=nnx.BatchStat(jnp.ones((d,), _F32))
        )
        self.momentum = momentum

    def absorb(self, **new):
        for name, value in new.items():
            cell = self.cells[name]
            cell.set_value(_sg(self.momentum * cell.get_value() + (1.0 - self.momentum) * value))
