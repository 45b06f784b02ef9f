"""BatchNorm as a single fused multiply-add.

The statistics and the affine parameters are folded into a per-feature
(multiplier, offset) pair so that the big array is touched only once.
"""
import jax
import jax.numpy as jnp
from flax import nnx


@jax.jit
def fold(mean, var, scale, bias, epsilon):
    inv_std = jax.lax.rsqrt(var + epsilon)
    multiplier = scale * inv_std
    offset = bias - mean * scale
    return multiplier, offset


@jax.jit
def multiply_add(x, multiplier, offset):
    return x * multiplier[None, :] + offset[None, :]


class FoldedBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, *, train: bool):
        if train:
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            step = 1.0 - self.momentum
            self.mean[...] += step * (mean - self.mean[...])
            self.var[...] += step * (var - self.var[...])
        else:
            mean, var = self.mean[...], self.var[...]
        multiplier, offset = fold(
            mean, var, self.scale[...], self.bias[...], self.epsilon)
        return multiply_add(x, multiplier, offset)
