import typing as tp

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx import initializers

Initializer = tp.Callable[..., jax.Array]


class GeneratorBatchNorm(nnx.Module):
    """Batch norm for the generator blocks (JAX port of the DCGAN tutorial)."""

    def __init__(
        self,
        num_features: int,
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        dtype: tp.Any = jnp.float32,
        scale_init: Initializer = initializers.normal(stddev=0.02),
        bias_init: Initializer = initializers.zeros_init(),
        rngs: nnx.Rngs | None = None,
    ):
        rngs = nnx.Rngs(0) if rngs is None else rngs
        shape = (num_features,)
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(scale_init(rngs.params(), shape, dtype))
        self.bias = nnx.Param(bias_init(rngs.params(), shape, dtype))
        self.mean = nnx.BatchStat(jnp.zeros(shape, dtype))
        self.var = nnx.BatchStat(jnp.ones(shape, dtype))

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            decay = self.momentum
            self.mean[...] = decay * self.mean[...] + (1 - decay) * mean
            self.var[...] = decay * self.var[...] + (1 - decay) * var

        mul = jax.lax.rsqrt(var + self.epsilon) * self.scale[...]
        return (x - mean) * mul + self.bias[...]
