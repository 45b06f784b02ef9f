import jax.numpy as jnp
from flax import nnx


class RunningBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, eps=1e-5, *, rngs):
        self.features = features
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def _moments(self, x):
        mean = jnp.sum(x, axis=0) / x.shape[0]
        var = jnp.sum((x - mean) ** 2, axis=0) / x.shape[0]
        return mean, var

    def _track(self, mean, var):
        """Moves the running statistics and returns their new values."""
        self.mean.value = self.mean.value * self.momentum + mean * (1 - self.momentum)
        self.var.value = self.var.value * self.momentum + var * (1 - self.momentum)
        return self.mean.value, self.var.value

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean.value, self.var.value
        else:
            mean, var = self._moments(x)
            mean, var = self._track(mean, var)
        x = (x - mean) / jnp.sqrt(var + self.eps)
        return x * self.scale.value + self.bias.value
