"""Batch norm tuned for serving: the square root is taken once, not per request."""
import jax
import jax.numpy as jnp
from flax import nnx


class ServingBatchNorm(nnx.Module):
    """Training mode behaves as usual; inference reuses a stored 1/std.

    Args:
      num_features: width of the input.
      momentum: share of the running statistics kept by one training step.
      epsilon: added to the variance.
    """

    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))
        self._inv_std = nnx.Cache(jnp.ones((num_features,)))
        self._inv_std_ready = False

    def _update(self, mean, var):
        mean = jax.lax.stop_gradient(mean)
        var = jax.lax.stop_gradient(var)
        keep = self.momentum
        self.running_mean[...] = keep * self.running_mean[...] + (1 - keep) * mean
        self.running_var[...] = keep * self.running_var[...] + (1 - keep) * var

    def _running_inv_std(self):
        if not self._inv_std_ready:
            self._inv_std[...] = jax.lax.rsqrt(self.running_var[...] + self.epsilon)
            self._inv_std_ready = True
        return self._inv_std[...]

    def __call__(self, x, training: bool = False):
        if training:
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            inv_std = jax.lax.rsqrt(var + self.epsilon)
            self._update(mean, var)
        else:
            mean = self.running_mean[...]
            inv_std = self._running_inv_std()
        return (x - mean) * inv_std * self.scale[...] + self.bias[...]
