import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    """Batch normalization for (N, D) inputs."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _ema(self, old, new):
        return (1.0 - self.momentum) * old + self.momentum * new

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean = self.running_mean[...]
            var = self.running_var[...]
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            self.running_mean[...] = self._ema(self.running_mean[...], mean)
            self.running_var[...] = self._ema(self.running_var[...], var)
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma[...] * x_hat + self.beta[...]
