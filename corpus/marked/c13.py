from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


class TracksMoments:
    """Mixin: running mean and variance with exponential forgetting."""

    def init_moments(self, dim: int, momentum: float) -> None:
        self.momentum = momentum
        self.mean = nnx.BatchStat(jnp.zeros((dim,)))
        self.var = nnx.BatchStat(jnp.ones((dim,)))

    def moments(self, x: jax.Array, update: bool):
        if not update:
            return self.mean[...], self.var[...]
        axes = range(x.ndim - 1)
        mean = x.mean(axis=tuple(axes))
        var = ((x - mean) ** 2).mean(axis=tuple(axes))
        self.mean[...] = self.mean[...] * self.momentum + mean * (1 - self.momentum)
        self.var[...] = self.var[...] * self.momentum + var * (1 - self.momentum)
        return mean, var


class HasAffine:
    """Mixin: learned gain and offset, shared with our RMSNorm and LayerNorm."""

    def init_affine(self, dim: int, scale_init=nnx.initializers.ones,
                    bias_init=nnx.initializers.zeros, rngs: Any = None) -> None:
        key = rngs.params() if rngs is not None else jax.random.key(0)
        self.scale = nnx.Param(scale_init(key, (dim,), jnp.float32))
        self.bias = nnx.Param(bias_init(key, (dim,), jnp.float32))

    def affine(self, xhat: jax.Array) -> jax.Array:
        # weight decay pulls the gain towards one this way
        return xhat * (1.0 + self.scale[...]) + self.bias[...]


class MixinBatchNorm(TracksMoments, HasAffine, nnx.Module):
    def __init__(self, dim: int, *, momentum: float = 0.9, epsilon: float = 1e-6,
                 rngs: nnx.Rngs | None = None):
        self.epsilon = epsilon
        self.init_moments(dim, momentum)
        self.init_affine(dim, rngs=rngs)

    def __call__(self, x: jax.Array, *, training: bool = False) -> jax.Array:
        mean, var = self.moments(x, update=training)
        xhat = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        return self.affine(xhat)
