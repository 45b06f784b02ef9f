import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


def second_moment(x, centre):
    """Mean squared deviation of the columns of x from `centre`."""
    return jnp.mean(lax.square(x - centre), axis=0)


class MyNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _current(self, x, training):
        if not training:
            return self.mean.value, self.var.value
        batch_mean = x.mean(axis=0)
        batch_var = second_moment(x, centre=self.mean.value)
        self._fold_in(batch_mean, batch_var)
        return batch_mean, batch_var

    def _fold_in(self, batch_mean, batch_var):
        w = 1.0 - self.momentum
        self.mean.value += w * (lax.stop_gradient(batch_mean) - self.mean.value)
        self.var.value += w * (lax.stop_gradient(batch_var) - self.var.value)

    def __call__(self, x: jax.Array, training: bool) -> jax.Array:
        mean, var = self._current(x, training)
        scale = self.gamma.value * lax.rsqrt(var + self.eps)
        return (x - mean) * scale + self.beta.value
