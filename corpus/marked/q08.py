import jax
import jax.numpy as jnp
from flax import nnx


class RunningStatsBase(nnx.Module):
    """Keeps the exponential averages shared by the batch-statistics layers."""

    def __init__(self, num_features, momentum, eps):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def batch_stats(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.mean((x - mean) ** 2, axis=0)
        self.update_stats(mean, var)
        return mean, var

    def update_stats(self, mean, var):
        keep, take = self.momentum, 1.0 - self.momentum
        self.running_mean[...] = keep * self.running_mean[...] + take * jax.lax.stop_gradient(mean)
        self.running_var[...] = keep * self.running_var[...] + take * jax.lax.stop_gradient(var)

    def stats(self, x, training):
        if training:
            return self.batch_stats(x)
        return self.running_mean[...], self.running_var[...]

    def whiten(self, x, mean, var):
        return (x - mean) / jnp.sqrt(var + self.eps)


class AffineBatchNorm(RunningStatsBase):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        super().__init__(num_features, momentum, eps)
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))

    def __call__(self, x, training: bool):
        mean, var = self.stats(x, training)
        if training:
            self.update_stats(mean, var)
        return self.weight[...] * self.whiten(x, mean, var) + self.bias[...]
