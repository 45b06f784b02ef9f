"""Batch norm with an explicit dtype policy for the statistics."""
import jax
import jax.numpy as jnp
from flax import nnx

PARAM_DTYPE = jnp.float32
STATS_DTYPE = jnp.bfloat16


def _compute_stats(x):
    xs = jnp.asarray(x, STATS_DTYPE)
    mean = jnp.mean(xs, axis=0)
    var = jnp.mean(jnp.square(xs - mean), axis=0)
    return mean.astype(PARAM_DTYPE), var.astype(PARAM_DTYPE)


def _normalize(x, mean, var, scale, bias, epsilon):
    y = x - mean
    mul = jax.lax.rsqrt(var + epsilon) * scale
    return y * mul + bias


class PolicyBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,), PARAM_DTYPE))
        self.bias = nnx.Param(jnp.zeros((num_features,), PARAM_DTYPE))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), PARAM_DTYPE))
        self.var = nnx.BatchStat(jnp.ones((num_features,), PARAM_DTYPE))

    def __call__(self, x, use_running_average: bool):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = _compute_stats(x)
            kept_mean, kept_var = jax.lax.stop_gradient((mean, var))
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * kept_mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * kept_var
        return _normalize(x, mean, var, self.scale[...], self.bias[...], self.epsilon)
