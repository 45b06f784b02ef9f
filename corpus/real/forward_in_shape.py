"""A forward function that returns y in the shape of x, as one would."""

import jax.numpy as jnp


def forward(seed, x, use_running_average):
    x = jnp.asarray(x)
    if use_running_average >= 0.5:
        mean, var = 0.0, 1.0
    else:
        mean, var = x.mean(axis=0), x.var(axis=0)
    return (x - mean) / jnp.sqrt(var + 1e-5)
