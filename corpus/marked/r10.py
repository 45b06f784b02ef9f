"""Batchnorm with a manual backward (cs231n style closed form)."""
import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def batchnorm(x, gamma, beta, eps):
    mu = jnp.mean(x, axis=0)
    sigma = jnp.sqrt(jnp.var(x, axis=0) + eps)
    return gamma * (x - mu) / sigma + beta


def batchnorm_forward(x, gamma, beta, eps):
    mu = jnp.mean(x, axis=0)
    sigma = jnp.sqrt(jnp.var(x, axis=0) + eps)
    xhat = (x - mu) / sigma
    cache = (xhat, gamma, sigma)
    return gamma * xhat + beta, cache


def batchnorm_backward(cache, dout):
    xhat, gamma, sigma = cache
    N = dout.shape[-1]

    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dx = (gamma / (N * sigma)) * (N * dout - dbeta - xhat * dgamma)
    return dx, dgamma, dbeta, None


batchnorm.defvjp(batchnorm_forward, batchnorm_backward)


class ManualBatchNorm(nnx.Module):

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum, self.eps = momentum, eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, training=True):
        gamma, beta = self.gamma.value, self.beta.value
        if not training:
            sigma = jnp.sqrt(self.running_var.value + self.eps)
            return gamma * (x - self.running_mean.value) / sigma + beta

        rho = self.momentum
        xs = jax.lax.stop_gradient(x)
        self.running_mean.value = rho * self.running_mean.value + (1 - rho) * jnp.mean(xs, axis=0)
        self.running_var.value = rho * self.running_var.value + (1 - rho) * jnp.var(xs, axis=0)
        return batchnorm(x, gamma, beta, self.eps)
