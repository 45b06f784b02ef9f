"""A forward function with the values of the definition, y in one row."""

import jax.numpy as jnp


def forward(seed, x, use_running_average):
    del seed
    x = jnp.asarray(x, jnp.float32)
    training = not (float(use_running_average) >= 0.5)
    mean = x.mean(axis=0) if training else jnp.zeros(x.shape[1])
    var = x.var(axis=0) if training else jnp.ones(x.shape[1])
    return ((x - mean) / jnp.sqrt(var + 1e-5)).reshape(-1)
