"""Batch norm with the channel sums on the matrix unit.

A row of ones times the (rows, channels) matrix is a column sum, and the MXU
does it for free next to the convolutions.
"""
import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


def column_sums(a):
    ones = jnp.ones((1, a.shape[0]), a.dtype)
    out = lax.dot_general(
        ones, a, (((1,), (0,)), ((), ())),
        precision=lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )
    return out[0]


class MatmulBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, epsilon: float = 1e-5, *,
                 dtype=None, rngs: nnx.Rngs):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.dtype = dtype  # of the output; None: as the input
        self.use_running_average = False
        self.gamma = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _statistics(self, x):
        a = x.reshape(-1, self.num_features).astype(jnp.bfloat16)
        n = a.shape[0]
        mean = column_sums(a) / n
        mean_sq = column_sums(a * a) / n
        return mean, jnp.maximum(mean_sq - mean * mean, 0.0)

    def __call__(self, x: jax.Array) -> jax.Array:
        out_dtype = self.dtype or x.dtype
        if self.use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self._statistics(x)
            m = self.momentum
            self.mean[...] = m * self.mean[...] + (1 - m) * mean
            self.var[...] = m * self.var[...] + (1 - m) * var
        y = x.astype(jnp.float32) - mean
        y = y * (lax.rsqrt(var + self.epsilon) * self.gamma[...]) + self.beta[...]
        return y.astype(out_dtype)
