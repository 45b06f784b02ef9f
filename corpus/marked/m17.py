import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def bn(x, gamma, beta, eps):
    mu, var = x.mean(0), x.var(0)
    return gamma * (x - mu) / jnp.sqrt(var + eps) + beta


def bn_fwd(x, gamma, beta, eps):
    mu, var = x.mean(0), x.var(0)
    ivar = 1.0 / jnp.sqrt(var + eps)
    xhat = (x - mu) * ivar
    return gamma * xhat + beta, (xhat, ivar, gamma)


def bn_bwd(res, dy):
    xhat, ivar, gamma = res
    n, _ = dy.shape
    dbeta = dy.sum(0)
    dgamma = (dy * xhat).sum(0)
    dxhat = dy * gamma
    dx = ivar / n * (n * dxhat - dxhat.sum(0) - xhat * dgamma)
    return dx, dgamma, dbeta, None


bn.defvjp(bn_fwd, bn_bwd)


class BatchNorm(nnx.Module):

    def __init__(self, num_features, eps=1e-5, momentum=0.9, *, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            inv = 1.0 / jnp.sqrt(self.running_var.value + self.eps)
            return self.gamma.value * (x - self.running_mean.value) * inv + self.beta.value
        lam = self.momentum
        self.running_mean.value = lam * self.running_mean.value + (1 - lam) * x.mean(0)
        self.running_var.value = lam * self.running_var.value + (1 - lam) * x.var(0)
        return bn(x, self.gamma.value, self.beta.value, self.eps)
