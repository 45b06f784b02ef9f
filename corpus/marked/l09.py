import jax
import jax.numpy as jnp
from flax import nnx


class AffineNorm(nnx.Module):
    """Base for norms with a learned scale and bias."""

    def __init__(self, features: int):
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))

    def affine(self, x_hat: jax.Array) -> jax.Array:
        return self.scale[...] * (x_hat + self.bias[...])


class BatchNorm(AffineNorm):
    def __init__(self, features: int, momentum: float = 0.99, epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        super().__init__(features)
        self.momentum = momentum
        self.epsilon = epsilon
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def statistics(self, x: jax.Array, use_running_average: bool):
        if use_running_average:
            return self.mean[...], self.var[...]
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x), axis=0) - jnp.square(mean)
        for stat, value in ((self.mean, mean), (self.var, var)):
            stat[...] = self.momentum * stat[...] + (1.0 - self.momentum) * value
        return mean, var

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        mean, var = self.statistics(x, use_running_average)
        return self.affine((x - mean) * jax.lax.rsqrt(var + self.epsilon))
