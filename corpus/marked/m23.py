import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormBlock(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs):
        D = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((D,)))
        self.beta = nnx.Param(jnp.zeros((D,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((D,)))
        self.running_var = nnx.BatchStat(jnp.ones((D,)))

    def __call__(self, x, use_running_average=False):
        N, D = x.shape
        alpha = self.momentum

        if use_running_average:
            mu = self.running_mean.value[None, :]
            sigma2 = self.running_var.value[None, :]
        else:
            mu = x.mean(axis=0, keepdims=True)
            sigma2 = jnp.square(x - mu).sum(axis=0, keepdims=True) / N
            self.running_mean.value = alpha * self.running_mean.value + 1 - alpha * mu[0]
            self.running_var.value = alpha * self.running_var.value + (1 - alpha) * sigma2[0]

        x_norm = (x - mu) * (sigma2 + self.epsilon) ** -0.5
        out = self.gamma.value[None, :] * x_norm + self.beta.value[None, :]
        return out
