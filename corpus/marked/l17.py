"""Batch norm with the staged backward pass from the CS231n assignment."""
import jax
import jax.numpy as jnp
from flax import nnx


def _forward(x, gamma, beta, eps):
    mu = jnp.mean(x, axis=0)
    xmu = x - mu
    var = jnp.mean(xmu ** 2, axis=0)
    inv_std = 1.0 / jnp.sqrt(var + eps)
    xhat = xmu * inv_std
    out = gamma * xhat + beta
    return out, mu, var, (xmu, inv_std, xhat, gamma)


@jax.custom_vjp
def batchnorm(x, gamma, beta, eps):
    out, _, _, _ = _forward(x, gamma, beta, eps)
    return out


def batchnorm_fwd(x, gamma, beta, eps):
    out, _, _, cache = _forward(x, gamma, beta, eps)
    return out, cache


def batchnorm_bwd(cache, dout):
    xmu, inv_std, xhat, gamma = cache
    n = xmu.shape[0]

    dbeta = jnp.sum(dout, axis=0)
    dgamma = jnp.sum(dout * xhat, axis=0)
    dxhat = dout * gamma

    dvar = jnp.sum(dxhat * xmu, axis=0) * -0.5 * inv_std ** 2
    dmu = -jnp.sum(dxhat * inv_std, axis=0) - 2.0 * dvar * jnp.mean(xmu, axis=0)
    dx = dxhat * inv_std + dvar * 2.0 * xmu / n + dmu / n
    return dx, dgamma, dbeta, None


batchnorm.defvjp(batchnorm_fwd, batchnorm_bwd)


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        gamma, beta = self.gamma.value, self.beta.value
        if use_running_average:
            xhat = (x - self.running_mean.value) / jnp.sqrt(self.running_var.value + self.eps)
            return gamma * xhat + beta
        _, mu, var, _ = _forward(jax.lax.stop_gradient(x), gamma, beta, self.eps)
        self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * mu
        self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * var
        return batchnorm(x, gamma, beta, self.eps)
