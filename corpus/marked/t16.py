import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps

        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))

        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _update(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0)
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return self.mean[...], self.var[...]

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self._update(x)

        y = x - mean
        y = y / jnp.sqrt(var + self.eps)
        y = y * self.scale[...]
        y = y + self.bias[...]
        return y
