"""BatchNorm for pooled feature maps: takes (N, D) or (N, 1, 1, D) input."""
import jax
import jax.numpy as jnp
from flax import nnx


class PooledBatchNorm(nnx.Module):
    """Batch norm placed after global pooling.

    Args:
      num_features: D.
      decay: weight of the previous running statistics.
      eps: numerical floor under the square root (added to the variance).
    """

    def __init__(self, num_features, decay=0.9, eps=1e-5, *, rngs=None):
        self.num_features = num_features
        self.decay = decay
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    @staticmethod
    def _moments(x):
        rows = jnp.squeeze(x)
        mean = jnp.mean(rows, axis=0)
        var = jnp.mean(jnp.square(rows - mean), axis=0)
        return mean, var

    def _accumulate(self, mean, var):
        self.mean[...] = self.decay * self.mean[...] + (1.0 - self.decay) * mean
        self.var[...] = self.decay * self.var[...] + (1.0 - self.decay) * var

    def __call__(self, x, is_training):
        if x.shape[-1] != self.num_features:
            raise ValueError(f"last axis must be {self.num_features}, got {x.shape}")
        if is_training:
            mean, var = self._moments(x)
            self._accumulate(*jax.lax.stop_gradient((mean, var)))
        else:
            mean, var = self.mean[...], self.var[...]
        y = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return y * self.scale[...] + self.bias[...]
