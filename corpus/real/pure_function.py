"""Batch norm of a tutorial without any framework: arrays in, output and new averages out."""

import jax
import jax.numpy as jnp


def batch_norm(x, gamma, beta, running_mean, running_var, training=True, momentum=0.9, eps=1e-5):
    if training:
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0)
        running_mean = jax.lax.stop_gradient(momentum * running_mean + (1 - momentum) * mean)
        running_var = jax.lax.stop_gradient(momentum * running_var + (1 - momentum) * var)
    else:
        mean, var = running_mean, running_var
    y = gamma * (x - mean) / jnp.sqrt(var + eps) + beta
    return y, running_mean, running_var
