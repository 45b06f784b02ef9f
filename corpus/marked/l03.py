import jax.numpy as jnp
from flax import nnx


def batch_moments(x):
    m1 = jnp.mean(x, axis=0)
    m2 = jnp.mean(x * x, axis=0)
    return m1, m2 - m1 * m1


def standardize(x, mean, var, eps):
    std = jnp.sqrt(var) + eps
    return (x - mean) / std


class BatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.99, epsilon=1e-3, *, rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((features,), jnp.float32))

    def _ema(self, old, new):
        return self.momentum * old + (1.0 - self.momentum) * new

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = batch_moments(x)
            self.mean[...] = self._ema(self.mean[...], mean)
            self.var[...] = self._ema(self.var[...], var)
        y = standardize(x, mean, var, self.epsilon)
        return y * self.scale[...] + self.bias[...]
