"""BatchNorm whose mode may be a traced boolean.

Everything that depends on the mode goes through lax.cond, so that one
compiled function serves both training and evaluation.
"""
import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def batch_moments(x):
    mean = lax.stop_gradient(jnp.mean(x, axis=0))
    var = jnp.mean(jnp.square(x - mean), axis=0)
    return mean, var


class CondBatchNorm(nnx.Module):
    def __init__(self, features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gain = nnx.Param(jnp.ones((features,)))
        self.shift = nnx.Param(jnp.zeros((features,)))
        self.avg_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.avg_var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x: jax.Array, training) -> jax.Array:
        training = jnp.asarray(training, dtype=bool)
        batch = batch_moments(x)
        running = (self.avg_mean[...], self.avg_var[...])

        # which statistics normalise x
        mean, var = lax.cond(training, lambda b, r: b, lambda b, r: r, batch, running)

        # which statistics are stored
        def blend(b, r):
            mix = lambda new, old: self.momentum * old + (1.0 - self.momentum) * new
            return jax.tree.map(mix, b, r)

        def keep(b, r):
            return r

        new_mean, new_var = lax.cond(training, keep, blend, batch, running)
        self.avg_mean[...] = new_mean
        self.avg_var[...] = new_var

        xhat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gain[...] * xhat + self.shift[...]
