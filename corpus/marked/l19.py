import jax
import jax.numpy as jnp
from flax import nnx


def _abs_sq(x):
    """Squared magnitude, also for complex inputs."""
    return jnp.abs(x)


def _compute_stats(x, axis=0):
    mean = jnp.mean(x, axis=axis)
    var = jnp.mean(_abs_sq(x - jnp.expand_dims(mean, axis)), axis=axis)
    return mean, var


class BatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.99, epsilon=1e-5, rngs):
        feature_shape = (num_features,)
        self.scale = nnx.Param(jnp.ones(feature_shape))
        self.bias = nnx.Param(jnp.zeros(feature_shape))
        self.mean = nnx.BatchStat(jnp.zeros(feature_shape))
        self.var = nnx.BatchStat(jnp.ones(feature_shape))
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = _compute_stats(x)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        y = x - mean
        mul = jax.lax.rsqrt(var + self.epsilon)
        mul *= self.scale[...]
        y *= mul
        y += self.bias[...]
        return y
