import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormLayer(nnx.Module):
    """Batch normalisation for dense layers.

    Args:
      num_features: size of the last axis.
      momentum: weight of the old value in the moving averages.
      eps: added to the variance before the square root.
    """

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _mix(self, old, new):
        return self.momentum * old + (1.0 - self.momentum) * new

    def _stats(self, x, use_running_average):
        if use_running_average:
            return self.running_mean[...], self.running_var[...]
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        batch_mean, batch_var = jax.lax.stop_gradient((mean, var))
        self.running_mean[...] = self._mix(self.running_mean[...], batch_mean)
        return mean, var

    def __call__(self, x, use_running_average: bool):
        mean, var = self._stats(x, use_running_average)
        y = (x - mean) / jnp.sqrt(var + self.eps)
        y = y * self.gamma[...]
        y = y + self.beta[...]
        return y
