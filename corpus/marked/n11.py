"""Batch norm written as one multiply-add per element."""
import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


def fold(mean, var, gamma, beta, eps):
    """Turns statistics and affine parameters into (scale, shift)."""
    scale = gamma * lax.rsqrt(var + eps)
    shift = beta - mean * gamma
    return scale, shift


class FoldedBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5,
                 *, rngs: nnx.Rngs = None):
        self.momentum = float(momentum)
        self.eps = float(eps)
        self.gamma = nnx.Param(jnp.ones((num_features,), dtype=jnp.float32))
        self.beta = nnx.Param(jnp.zeros((num_features,), dtype=jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), dtype=jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), dtype=jnp.float32))

    def _learn(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(lax.square(x - mean), axis=0)
        rate = 1.0 - self.momentum
        self.mean.value = self.mean.value * self.momentum + lax.stop_gradient(mean) * rate
        self.var.value = self.var.value * self.momentum + lax.stop_gradient(var) * rate
        return mean, var

    def __call__(self, x: jax.Array, training: bool = True) -> jax.Array:
        mean, var = self._learn(x) if training else (self.mean.value, self.var.value)
        scale, shift = fold(mean, var, self.gamma.value, self.beta.value, self.eps)
        return x * scale + shift
