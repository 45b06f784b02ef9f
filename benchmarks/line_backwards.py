"""Layers with one mistake each in a backward pass that is a function, for ``lines.py``.

A comment "wrong" marks the line to change, as in ``line_layers.py``.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from line_layers import Array, Arrays


@jax.custom_vjp
def _whiten(x: Array, gamma: Array, beta: Array, eps: Any) -> Array:
    return gamma * (x - x.mean(0)) / jnp.sqrt(x.var(0) + eps) + beta


class Written(Arrays):
    """A layer whose backward pass is a function."""

    function: Any

    def __call__(self, x: Any, use_running_average: Any) -> Array:
        """Apply the layer to x, (N, D)."""
        x, gamma, beta = jnp.asarray(x), self.gamma[...], self.beta[...]
        if use_running_average:
            z = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
            return gamma * z + beta
        m, detached = self.momentum, lax.stop_gradient(x)
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * detached.mean(0)
        self.running_var[...] = m * self.running_var[...] + (1 - m) * detached.var(0)
        return type(self).function(x, gamma, beta, self.eps)


def _ahead(x: Array, gamma: Array, beta: Array, eps: Any) -> tuple[Array, Any]:
    xmu = x - x.mean(0)
    ivar = 1.0 / jnp.sqrt((xmu**2).mean(0) + eps)
    return gamma * xmu * ivar + beta, (xmu, ivar, gamma, eps)


def _with(backward: Any, forward: Any = _ahead) -> Any:
    function = jax.custom_vjp(_whiten.fun)
    function.defvjp(forward, backward)
    return staticmethod(function)


def _square_of_inverse(saved: Any, dout: Array) -> Any:
    xmu, ivar, gamma, _ = saved
    n = dout.shape[0]
    dxhat = dout * gamma
    dvar = jnp.sum(dxhat * xmu, axis=0) * -0.5 * ivar**2  # wrong
    dmu = jnp.sum(-dxhat * ivar, axis=0)
    dx = dxhat * ivar + dvar * 2.0 * xmu / n + dmu / n
    return dx, jnp.sum(dout * xmu * ivar, axis=0), jnp.sum(dout, axis=0), 0.0


class SquareOfInverse(Written):
    """See its backward pass."""

    function = _with(_square_of_inverse)


def _no_half(saved: Any, dout: Array) -> Any:
    xmu, ivar, gamma, _ = saved
    n = dout.shape[0]
    dxhat = dout * gamma
    dvar = jnp.sum(dxhat * xmu * (-0.5) * ivar**3, axis=0)
    dmu = -ivar * jnp.sum(dxhat, axis=0)
    dx1 = dxhat * ivar
    dx2 = dvar * xmu / n  # wrong
    return dx1 + dx2 + dmu / n, (dout * xmu * ivar).sum(0), dout.sum(0), 0.0


class NoTwo(Written):
    """See its backward pass."""

    function = _with(_no_half)


def _sum_for_mean(saved: Any, dout: Array) -> Any:
    xmu, ivar, gamma, _ = saved
    xhat = xmu * ivar
    dbeta = dout.sum(axis=0)
    dgamma = jnp.sum(dout * xhat, axis=0)
    inner = dout - dbeta - xhat * dgamma / len(dout)  # wrong
    return gamma * ivar * inner, dgamma, dbeta, 0.0


class SumForMean(Written):
    """See its backward pass."""

    function = _with(_sum_for_mean)


def _ungained(saved: Any, dout: Array) -> Any:
    xmu, ivar, _, _ = saved
    xhat = xmu * ivar
    dx = ivar * (dout - dout.mean(0) - xhat * (dout * xhat).mean(0))  # wrong
    return dx, (dout * xhat).sum(0), dout.sum(0), 0.0


class Ungained(Written):
    """See its backward pass."""

    function = _with(_ungained)


def _uncentred_gamma(saved: Any, dout: Array) -> Any:
    xmu, ivar, gamma, _ = saved
    dxhat = dout * gamma
    mean1 = jnp.mean(dxhat, axis=0)
    mean2 = jnp.mean(dxhat * xmu, axis=0) * ivar
    dx = ivar * (dxhat - mean1 - xmu * ivar * mean2)
    dgamma = jnp.einsum("nd,nd->d", dout, xmu)  # wrong
    return dx, dgamma, dout.sum(0), 0.0


class DeviationForResidual(Written):
    """See its backward pass."""

    function = _with(_uncentred_gamma)


LAYERS = (SquareOfInverse, NoTwo, SumForMean, Ungained, DeviationForResidual)
