"""BatchNorm with specialised train / inference kernels bound by partial."""
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


def _normalise(x, mean, var, gamma, beta, *, eps=1e-5):
    return (x - mean) * jax.lax.rsqrt(var + eps) * gamma + beta


def _train_kernel(x, gamma, beta, *, eps):
    mean = x.mean(axis=0)
    var = x.var(axis=0)
    return _normalise(x, mean, var, gamma, beta, eps=eps), mean, var


def _infer_kernel(x, gamma, beta, mean, var, *, eps):
    return _normalise(x, mean, var, gamma, beta)


class KernelBatchNorm(nnx.Module):
    """`epsilon` defaults to the 1e-3 of the TensorFlow layer."""

    def __init__(self, num_features, momentum=0.99, epsilon=1e-3, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.moving_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training: bool = False):
        gamma, beta = self.gamma[...], self.beta[...]
        train_kernel = jax.jit(partial(_train_kernel, eps=self.epsilon))
        infer_kernel = jax.jit(partial(_infer_kernel, eps=self.epsilon))
        if not training:
            return infer_kernel(
                x, gamma, beta, self.moving_mean[...], self.moving_var[...])
        y, mean, var = train_kernel(x, gamma, beta)
        for buf, batch in ((self.moving_mean, mean), (self.moving_var, var)):
            buf[...] = self.momentum * buf[...] + (1.0 - self.momentum) * batch
        return y
