from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Moments(NamedTuple):
    mean: jax.Array
    var: jax.Array
    inv_std: jax.Array


def measure(x: jax.Array, eps: float) -> Moments:
    """Column statistics of one mini-batch."""
    mean = jnp.mean(x, axis=0)
    var = jnp.mean(jnp.square(x - mean[None, :]), axis=0)
    return Moments(mean, var, jax.lax.rsqrt(var + eps))


class MomentNorm(nnx.Module):

    def __init__(self, features: int, momentum: float = 0.9, epsilon: float = 1e-5, *, rngs=None):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.ra_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.ra_var = nnx.BatchStat(jnp.ones((features,)))

    def stored(self) -> Moments:
        var = self.ra_var[...]
        return Moments(
            mean=self.ra_mean[...],
            var=var,
            inv_std=jax.lax.rsqrt(var + self.epsilon),
        )

    def absorb(self, moments: Moments) -> None:
        moments = jax.lax.stop_gradient(moments)
        m = self.momentum
        self.ra_mean[...] = m * self.ra_mean[...] + (1 - m) * moments.mean
        self.ra_var[...] = m * self.ra_var[...] + (1 - m) * moments.inv_std

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        if use_running_average:
            moments = self.stored()
        else:
            moments = measure(x, self.epsilon)
            self.absorb(moments)
        x_hat = (x - moments.mean) * moments.inv_std
        return x_hat * self.gamma[...] + self.beta[...]
