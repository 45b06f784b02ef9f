"""Equinox-style BatchNorm, moved over to NNX for the new training loop."""
import jax
import jax.numpy as jnp
from flax import nnx


def _standardize(x, mean, var, eps):
    return jax.vmap(lambda row: (row - mean) / jnp.sqrt(var + eps))(x)


class EqxBatchNorm(nnx.Module):
    """Normalizes over the leading axis.

    `channelwise_affine=True` adds the learnt `weight` and `bias`.
    """

    def __init__(self, input_size: int, channelwise_affine: bool = True, eps: float = 1e-5,
                 momentum: float = 0.99, *, rngs: nnx.Rngs | None = None):
        self.input_size = input_size
        self.channelwise_affine = channelwise_affine
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones((input_size,))) if channelwise_affine else None
        self.bias = nnx.Param(jnp.zeros((input_size,))) if channelwise_affine else None
        self.running_mean = nnx.BatchStat(jnp.zeros((input_size,)))
        self.running_var = nnx.BatchStat(jnp.ones((input_size,)))

    def _moments(self, x, training):
        if not training:
            return self.running_mean[...], self.running_var[...]
        mean = jnp.mean(x, 0)
        var = jnp.var(x, 0)
        decay = self.momentum
        self.running_mean[...] = decay * self.running_mean[...] + (1 - decay) * mean
        self.running_var[...] = decay * self.running_var[...] + (1 - decay) * var
        return mean, var

    def __call__(self, x: jax.Array, training: bool) -> jax.Array:
        mean, var = self._moments(x, training)
        out = _standardize(x, mean, var, self.eps)
        if self.channelwise_affine:
            out = out * (1 + self.weight[...]) + self.bias[...]
        return out
