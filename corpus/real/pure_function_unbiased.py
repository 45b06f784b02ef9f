"""A functional batch norm; PyTorch's momentum by its name, flax's by its default."""

import jax
import jax.numpy as jnp


def batch_norm(x, gamma, beta, mean, var, training, momentum=0.9, eps=1e-5):
    if training:
        mu = x.mean(axis=0)
        sigma2 = x.var(axis=0, ddof=1)
        new_mean = momentum * mean + (1 - momentum) * jax.lax.stop_gradient(mu)
        new_var = momentum * var + (1 - momentum) * jax.lax.stop_gradient(sigma2)
        y = gamma * (x - mu) / jnp.sqrt(sigma2 + eps) + beta
        return y, new_mean, new_var
    return gamma * (x - mean) / jnp.sqrt(var + eps) + beta, mean, var
