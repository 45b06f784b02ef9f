from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import nnx

Array = jax.Array


def batch_moments(x: Array) -> tuple[Array, Array]:
    mean = jnp.mean(x, axis=0)
    return mean, jnp.mean(jnp.square(x - mean), axis=0)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def standardize(eps: float, x: Array) -> Array:
    """Zero mean and unit variance per column."""
    mean, var = batch_moments(x)
    return (x - mean) / jnp.sqrt(var + eps)


def standardize_fwd(eps: float, x: Array):
    mean, var = batch_moments(x)
    centred = x - mean
    inv_std = 1.0 / jnp.sqrt(var + eps)
    x_hat = centred * inv_std
    return x_hat, (centred, inv_std)


def standardize_bwd(eps: float, residuals, g: Array):
    x_hat, inv_std = residuals
    g_mean = jnp.mean(g, axis=0)
    g_proj = jnp.mean(g * x_hat, axis=0)
    return (inv_std * (g - g_mean - x_hat * g_proj),)


standardize.defvjp(standardize_fwd, standardize_bwd)


class StandardizedBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5,
                 *, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.Variable(jnp.zeros((num_features,)))
        self.var = nnx.Variable(jnp.ones((num_features,)))

    def _update(self, x: Array) -> None:
        mean, var = jax.lax.stop_gradient(batch_moments(x))
        for ref, new in ((self.mean, mean), (self.var, var)):
            ref.value = self.momentum * ref.value + (1.0 - self.momentum) * new

    def __call__(self, x: Array, training: bool) -> Array:
        if training:
            x_hat = standardize(self.eps, x)
            self._update(x)
        else:
            x_hat = (x - self.mean.value) / jnp.sqrt(self.var.value + self.eps)
        return self.gamma.value * x_hat + self.beta.value
