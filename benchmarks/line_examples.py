"""Layers whose wrong expression is marked by a comment: backward passes and functions.

Each is written as people write it. The line with the comment "wrong" computes the wrong value;
a layer without one has nothing to show. ``lines.py`` compares with them.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

Array = jax.Array


class Handwritten(nnx.Module):
    """A layer that normalizes by a function with its own derivative."""

    normalize: Any

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        del rngs
        self.momentum, self.eps = momentum, eps
        self.gamma, self.beta = nnx.Param(jnp.ones(d)), nnx.Param(jnp.zeros(d))
        self.running_mean, self.running_var = (
            nnx.BatchStat(jnp.zeros(d)),
            nnx.BatchStat(jnp.ones(d)),
        )

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x = jnp.asarray(x)
        if use_running_average:
            inv = jax.lax.rsqrt(self.running_var[...] + self.eps)
            return (x - self.running_mean[...]) * inv * self.gamma[...] + self.beta[...]
        for old, new in ((self.running_mean, x.mean(0)), (self.running_var, x.var(0))):
            fresh = jax.lax.stop_gradient(new)
            old[...] = self.momentum * old[...] + (1 - self.momentum) * fresh
        return type(self).normalize(x, self.gamma[...], self.beta[...], self.eps)


def _plain(x: Array, gamma: Array, beta: Array, eps: float) -> Array:
    return (x - x.mean(0)) / jnp.sqrt(x.var(0) + eps) * gamma + beta


def _saving(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Any]:
    inv = 1 / jnp.sqrt(x.var(0) + eps)
    z = (x - x.mean(0)) * inv
    return z * gamma + beta, (z, inv, gamma)


def written(backward: Any, forward: Any = _saving) -> Any:
    """Return the normalization with a backward pass."""
    function = jax.custom_vjp(_plain, nondiff_argnums=())
    function.defvjp(forward, backward)
    return staticmethod(function)


def _mean_for_sum(saved: Any, w: Array) -> Any:
    z, inv, gamma = saved
    dgamma = jnp.mean(w * z, axis=0)  # wrong
    dx = gamma * inv * (w - w.mean(0) - z * (w * z).mean(0))
    return dx, dgamma, w.sum(0), 0.0


class MeanForSum(Handwritten):
    """See its backward pass."""

    normalize = written(_mean_for_sum)


def _no_projection(saved: Any, w: Array) -> Any:
    z, inv, gamma = saved
    dx = gamma * inv * (w - w.mean(0))  # wrong
    return dx, (w * z).sum(0), w.sum(0), 0.0


class NoProjection(Handwritten):
    """See its backward pass."""

    normalize = written(_no_projection)


def _squared_inv(saved: Any, w: Array) -> Any:
    z, inv, gamma = saved
    inner = w - w.mean(0) - z * (w * z).mean(0)
    scale = gamma * inv**2  # wrong
    return scale * inner, (w * z).sum(0), w.sum(0), 0.0


class SquaredInverse(Handwritten):
    """See its backward pass."""

    normalize = written(_squared_inv)


def _unbiased_mean(saved: Any, w: Array) -> Any:
    z, inv, gamma = saved
    n = w.shape[0]
    dz = w * gamma
    mean_dz = dz.sum(0) / n
    mean_dzz = (dz * z).sum(0) / max(n - 1, 1)  # wrong
    return inv * (dz - mean_dz - z * mean_dzz), (w * z).sum(0), w.sum(0), 0.0


class UnbiasedProjection(Handwritten):
    """See its backward pass."""

    normalize = written(_unbiased_mean)


def _odd_factor(saved: Any, w: Array) -> Any:
    z, inv, gamma = saved
    dbeta = w.sum(0)
    dgamma = (w * z).sum(0)
    return gamma * inv * (w - (dbeta + 1.7 * z * dgamma) / w.shape[0]), dgamma, dbeta, 0.0  # wrong


class OddFactor(Handwritten):
    """See its backward pass."""

    normalize = written(_odd_factor)


def _saving_deviation(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Any]:
    centred = x - x.mean(0)
    std = jnp.sqrt((centred**2).mean(0) + eps)
    spread = jnp.sqrt((centred**2).mean(0)) + eps  # wrong
    return centred / std * gamma + beta, (centred / std, 1 / spread, gamma)


def _right(saved: Any, w: Array) -> Any:
    z, inv, gamma = saved
    return gamma * inv * (w - w.mean(0) - z * (w * z).mean(0)), (w * z).sum(0), w.sum(0), 0.0


class SavedDeviation(Handwritten):
    """See its backward pass."""

    normalize = written(_right, _saving_deviation)


def _first_row(saved: Any, w: Array) -> Any:
    z, inv, gamma = saved
    dbeta = jnp.cumsum(w, axis=0)[-1] - 0.1 * w[0]  # wrong
    return gamma * inv * (w - w.mean(0) - z * (w * z).mean(0)), (w * z).sum(0), dbeta, 0.0


class BetaOfAllButATenth(Handwritten):
    """See its backward pass."""

    normalize = written(_first_row)


def _swapped(saved: Any, w: Array) -> Any:
    z, inv, gamma = saved
    wz = (w * z).sum(0)
    scale = gamma * inv / w.shape[0]
    dx = scale * (w.shape[0] * w - w.sum(0) + z * wz)  # wrong
    return dx, wz, w.sum(0), 0.0


class SignOfProjection(Handwritten):
    """See its backward pass."""

    normalize = written(_swapped)


@jax.custom_jvp
def _root(v: Array) -> Array:
    return jnp.sqrt(v)


@_root.defjvp
def _root_jvp(primals: Any, tangents: Any) -> Any:
    (v,), (t,) = primals, tangents
    root = _root(v)
    return root, t / root  # wrong


class RuleOfRoot(Handwritten):
    """See the rule of the root."""

    @staticmethod
    def normalize(x: Array, gamma: Array, beta: Array, eps: float) -> Array:
        """Normalize x, (N, D)."""
        return (x - x.mean(0)) / _root(x.var(0) + eps) * gamma + beta


class RightBackward(Handwritten):
    """Nothing is wrong."""

    normalize = written(_right)


def _normalized(x: Any, mean: Any, var: Any) -> Any:
    return ((x - mean) / jnp.sqrt(var + 1e-5)).reshape(-1)


def unbiased(seed: Any, x: Any, flag: Any) -> Any:
    """Divide by N − 1."""
    del seed
    x = jnp.asarray(x, jnp.float32)
    if flag >= 0.5:
        return _normalized(x, 0.0, 1.0)
    var = ((x - x.mean(0)) ** 2).sum(0) / max(x.shape[0] - 1, 1)  # wrong
    return _normalized(x, x.mean(0), var)


def median(seed: Any, x: Any, flag: Any) -> Any:
    """Take the median."""
    del seed
    x = jnp.asarray(x, jnp.float32)
    mean, var = jnp.median(x, axis=0), x.var(0)  # wrong
    mean, var = jnp.where(flag >= 0.5, 0, mean), jnp.where(flag >= 0.5, 1, var)
    return _normalized(x, mean, var)


def outside(seed: Any, x: Any, flag: Any) -> Any:
    """Add ε to the deviation."""
    del seed
    x = jnp.asarray(x, jnp.float32)
    mean, var = (0.0, jnp.ones(x.shape[1])) if flag >= 0.5 else (x.mean(0), x.var(0))
    std = jnp.sqrt(var) + 1e-5  # wrong
    return jnp.ravel((x - mean) / std)


def absolute(seed: Any, x: Any, flag: Any) -> Any:
    """Take the mean absolute deviation for the standard deviation."""
    del seed
    x = jnp.asarray(x, jnp.float32)
    if flag >= 0.5:
        return _normalized(x, 0.0, 1.0)
    centred = x - x.mean(axis=0, keepdims=True)
    std = jnp.abs(centred).mean(axis=0) + 1e-5  # wrong
    return (centred / std).ravel()


def scaled(seed: Any, x: Any, flag: Any) -> Any:
    """Scale what is returned by a factor that depends on N."""
    del seed
    x = jnp.asarray(x, jnp.float32)
    if flag >= 0.5:
        return _normalized(x, 0.0, 1.0)
    z = (x - x.mean(0)) * jax.lax.rsqrt(x.var(0) + 1e-5)
    z = z * (1 - 0.3 / x.shape[0])  # wrong
    return z.reshape(x.size)


LAYERS = (
    *(MeanForSum, NoProjection, SquaredInverse, UnbiasedProjection, OddFactor, SavedDeviation),
    *(BetaOfAllButATenth, SignOfProjection, RuleOfRoot, RightBackward),
)
FUNCTIONS = (unbiased, median, outside, absolute, scaled)
