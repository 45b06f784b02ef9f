"""One class for dense layers (num_dims=2) and for convolutions in NCHW (num_dims=4)."""

import jax.numpy as jnp
from flax import nnx


def normalise(x, gamma, beta, mean, var, eps):
    return gamma * ((x - mean) / jnp.sqrt(var + eps)) + beta


class BatchNorm(nnx.Module):
    def __init__(self, num_features, num_dims, momentum=0.9, eps=1e-5):
        shape = (1, num_features) if num_dims == 2 else (1, num_features, 1, 1)
        self.gamma = nnx.Param(jnp.ones(shape))
        self.beta = nnx.Param(jnp.zeros(shape))
        self.moving_mean = nnx.BatchStat(jnp.zeros(shape))
        self.moving_var = nnx.BatchStat(jnp.ones(shape))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, X, training):
        if not training:
            return normalise(X, self.gamma[...], self.beta[...], self.moving_mean[...], self.moving_var[...], self.eps)
        axes = (0,) if X.ndim == 2 else (0, 2, 3)
        mean = X.mean(axis=axes, keepdims=True)
        var = ((X - mean) ** 2).mean(axis=axes, keepdims=True)
        Y = normalise(X, self.gamma[...], self.beta[...], mean, var, self.eps)
        self.moving_mean[...] = self.momentum * self.moving_mean[...] + (1.0 - self.momentum) * mean
        self.moving_var[...] = self.momentum * self.moving_var[...] + (1.0 - self.momentum) * var
        return Y
