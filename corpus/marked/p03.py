from flax import nnx
import jax
from jax import numpy as jnp
from jax import lax


class BN(nnx.Module):
    def __init__(self, features, *, momentum=0.99, epsilon=1e-5, rngs):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(nnx.initializers.ones(rngs.params(), (features,)))
        self.bias = nnx.Param(nnx.initializers.zeros(rngs.params(), (features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((features,), jnp.float32))

    def __call__(self, x, use_running_average):
        if use_running_average:
            mu, var = self.mean[...], self.var[...]
        else:
            # single pass over the batch
            mu = jnp.mean(x, axis=0)
            mu2 = jnp.mean(lax.square(x), axis=0)
            var = jnp.maximum(mu2 - mu, 0.0)
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        mul = lax.rsqrt(var + self.epsilon) * self.scale[...]
        return (x - mu) * mul + self.bias[...]
