import jax.numpy as jnp
from flax import nnx


class BatchNorm1D(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum, self.eps = momentum, eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def compute_stats(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.mean((x - self.mean[...]) ** 2, axis=0)
        return mean, var

    def update_stats(self, mean, var):
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self.compute_stats(x)
            self.update_stats(mean, var)
        x = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma[...] * x + self.beta[...]
