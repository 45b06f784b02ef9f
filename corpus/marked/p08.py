import jax
import jax.numpy as jnp
from flax import nnx


# Forward/backward written out node by node, as in the CS231n assignment.
@jax.custom_vjp
def batchnorm(x, gamma, beta, eps):
    out, _ = batchnorm_forward(x, gamma, beta, eps)
    return out


def batchnorm_forward(x, gamma, beta, eps):
    N, D = x.shape
    mu = 1.0 / N * jnp.sum(x, axis=0)
    xmu = x - mu
    sq = xmu**2
    var = 1.0 / N * jnp.sum(sq, axis=0)
    sqrtvar = jnp.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    gammax = gamma * xhat
    out = gammax + beta
    cache = (xhat, gamma, xmu, ivar, sqrtvar)
    return out, cache


def batchnorm_backward(cache, dout):
    xhat, gamma, xmu, ivar, sqrtvar = cache
    N, D = dout.shape
    dbeta = jnp.sum(dout, axis=0)
    dgamma = jnp.sum(dout * xmu, axis=0)
    dxhat = dout * gamma
    divar = jnp.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    dvar = 0.5 * ivar * dsqrtvar
    dsq = 1.0 / N * jnp.ones((N, D)) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * jnp.sum(dx1, axis=0)
    dx2 = 1.0 / N * jnp.ones((N, D)) * dmu
    dx = dx1 + dx2
    return dx, dgamma, dbeta, jnp.sum(dvar)


batchnorm.defvjp(batchnorm_forward, batchnorm_backward)


class BatchNormManual(nnx.Module):
    def __init__(self, features, *, momentum=0.9, eps=1e-5, rngs):
        self.features = features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.running_var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, use_running_average=False):
        mode = 'test' if use_running_average else 'train'
        if mode == 'train':
            sample_mean = jnp.mean(x, axis=0)
            sample_var = jnp.var(x, axis=0)
            m = self.momentum
            self.running_mean[...] = (1 - m) * self.running_mean[...] + m * sample_mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * sample_var
            return batchnorm(x, self.gamma[...], self.beta[...], self.eps)
        xn = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
        return self.gamma[...] * xn + self.beta[...]
