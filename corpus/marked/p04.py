import jax.numpy as jnp
from flax import nnx


def batch_moments(x):
    """Two-pass mean and variance over the leading axis."""
    n = x.shape[0]
    mean = jnp.sum(x, axis=0) / n
    centered = x - mean
    var = jnp.sum(centered * centered, axis=0) / (n - 1)
    return mean, var


def ema(old, new, decay):
    return (1.0 - decay) * old + decay * new


class BatchNormLayer(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.9, epsilon: float = 1e-3, rngs: nnx.Rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average: bool = False):
        if not use_running_average:
            mean, var = batch_moments(x)
            self.running_mean.value = ema(self.running_mean.value, mean, self.momentum)
            self.running_var.value = ema(self.running_var.value, var, self.momentum)
        else:
            mean = self.running_mean.value
            var = self.running_var.value
        std = jnp.sqrt(var + self.epsilon)
        return self.gamma.value * (x - mean) / std + self.beta.value
