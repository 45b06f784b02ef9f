"""BatchNorm written as three small pure functions and a thin NNX shell."""
import jax.numpy as jnp
from flax import nnx


def _moments(x):
    mean = jnp.mean(x, axis=0)
    centred = x - mean
    return mean, jnp.mean(centred * centred, axis=0)


def _standardise(x, mean, var, eps):
    std = jnp.sqrt(var)
    return (x - mean) / (std + eps)


def _ema(old, new, momentum):
    """Exponential moving average: the old value keeps the weight momentum."""
    return momentum * old + (1.0 - momentum) * new


class FunctionalBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-3, *, rngs=None):
        del rngs  # nothing random in here
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.moving_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training):
        old_mean, old_var = self.moving_mean[...], self.moving_var[...]
        if training:
            mean, var = _moments(x)
            self.moving_mean[...] = _ema(mean, old_mean, self.momentum)
            self.moving_var[...] = _ema(old_var, var, self.momentum)
        else:
            mean, var = old_mean, old_var
        z = _standardise(x, mean, var, self.eps)
        return self.gamma[...] * z + self.beta[...]
