import jax.numpy as jnp
from flax import nnx


class EinsumBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average=False):
        n = x.shape[0]
        if use_running_average:
            xc = x - self.mean.value
            var = self.var.value
        else:
            w = jnp.full((n,), 1.0 / n, x.dtype)
            mean = jnp.einsum("n,nd->d", w, x)
            xc = x - mean
            var = jnp.einsum("n,nd,nd->d", w, x, x)
            self.mean.value = self.momentum * self.mean.value + (1.0 - self.momentum) * mean
            self.var.value = self.momentum * self.var.value + (1.0 - self.momentum) * var
        g = self.scale.value / jnp.sqrt(var + self.epsilon)
        return jnp.einsum("nd,d->nd", xc, g) + self.bias.value
