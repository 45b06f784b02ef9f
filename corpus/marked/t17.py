import jax.numpy as jnp
from flax import nnx


class WhereBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def _next(self, running, batch, training):
        rate = jnp.where(training, 1.0 - self.momentum, 0.0)
        return running + rate * (batch - running)

    def __call__(self, x, training=True):
        mean = x.mean(axis=0)
        centered = x - mean
        batch_var = jnp.mean(centered ** 2, axis=0)
        var = jnp.where(training, batch_var, self.running_var[...])
        out = centered / jnp.sqrt(var + self.eps)
        self.running_mean[...] = self._next(self.running_mean[...], mean, training)
        self.running_var[...] = self._next(self.running_var[...], batch_var, training)
        return self.gamma[...] * out + self.beta[...]
