import jax
import jax.numpy as jnp
from flax import nnx


def _mean(values, dtype):
    return jnp.mean(values, axis=0, dtype=dtype)


class MixedPrecisionBatchNorm(nnx.Module):
    """Parameters in ``param_dtype``, statistics always accumulated in ``stat_dtype``."""

    compute_dtype = jnp.bfloat16
    param_dtype = jnp.float32
    stat_dtype = jnp.float32

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,), self.param_dtype))
        self.beta = nnx.Param(jnp.zeros((num_features,), self.param_dtype))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,), self.stat_dtype))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,), self.stat_dtype))

    def _batch_statistics(self, x):
        x = x.astype(self.compute_dtype)
        mean = _mean(x, self.stat_dtype)
        var = _mean(jnp.square(x - mean), self.stat_dtype)
        return mean, var

    def _accumulate(self, buffer, value):
        value = jax.lax.stop_gradient(value).astype(self.stat_dtype)
        buffer[...] = self.momentum * buffer[...] + (1.0 - self.momentum) * value

    def __call__(self, x, train: bool):
        if train:
            mean, var = self._batch_statistics(x)
            self._accumulate(self.running_mean, mean)
            self._accumulate(self.running_var, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        y = (x - mean) * jax.lax.rsqrt(var + self.eps)
        y = y * self.gamma[...] + self.beta[...]
        return y.astype(x.dtype)
