"""Robust BatchNorm: falls back to running statistics for single-row batches."""
import jax
import jax.numpy as jnp
from flax import nnx


class _AffineBase(nnx.Module):
    def __init__(self, num_features):
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))

    def affine(self, x_hat):
        return x_hat * self.scale[...] + self.bias[...]


class RobustBatchNorm(_AffineBase):
    """In training, a batch with one row has no usable variance, so it is
    normalised with the running statistics, which it leaves unchanged."""

    def __init__(self, num_features, decay=0.99, eps=1e-5, *, rngs=None):
        super().__init__(num_features)
        self.decay = decay
        self.eps = eps
        self.avg_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.avg_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _uses_batch(self, x, is_training):
        return is_training or x.shape[0] > 1

    def __call__(self, x, is_training: bool):
        if self._uses_batch(x, is_training):
            mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
        else:
            mean, var = self.avg_mean[...], self.avg_var[...]

        if is_training and x.shape[0] > 1:
            self._accumulate(mean, var)
        return self.affine((x - mean) * jax.lax.rsqrt(var + self.eps))

    def _accumulate(self, mean, var):
        lerp = lambda old, new: self.decay * old + (1.0 - self.decay) * new
        self.avg_mean[...] = lerp(self.avg_mean[...], mean)
        self.avg_var[...] = lerp(self.avg_var[...], var)
