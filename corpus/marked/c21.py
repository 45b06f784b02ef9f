import functools

import jax.numpy as jnp
from flax import nnx


def resolves_mode(method):
    """Lets a call leave out ``use_running_average``; the attribute is used then."""

    @functools.wraps(method)
    def wrapper(self, x, use_running_average=None):
        use_running_average = use_running_average or self.use_running_average
        return method(self, x, use_running_average)

    return wrapper


def in_float32(method):
    """Computes in float32 and gives the result the type of the input."""

    @functools.wraps(method)
    def wrapper(self, x, *args):
        return method(self, x.astype(jnp.float32), *args).astype(x.dtype)

    return wrapper


class DecoratedBatchNorm(nnx.Module):
    def __init__(self, num_features: int, use_running_average: bool = False,
                 momentum: float = 0.99, epsilon: float = 1e-5, *, rngs: nnx.Rngs = None):
        self.num_features = num_features
        self.use_running_average = use_running_average
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    @resolves_mode
    @in_float32
    def __call__(self, x, use_running_average):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            flat = jnp.reshape(x, (-1, self.num_features))
            mean = flat.sum(0) / len(flat)
            var = ((flat - mean) ** 2).sum(0) / len(flat)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
