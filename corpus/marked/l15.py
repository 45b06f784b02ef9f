import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def bn(x, gamma, beta, eps):
    return bn_fwd(x, gamma, beta, eps)[0]


def bn_fwd(x, gamma, beta, eps):
    mu = x.mean(axis=0)
    xc = x - mu
    istd = 1.0 / jnp.sqrt((xc * xc).mean(axis=0) + eps)
    xhat = xc * istd
    return gamma * xhat + beta, (xhat, istd, gamma)


def bn_bwd(cache, dout):
    xhat, istd, gamma = cache
    N = dout.shape[0]
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    dx = istd / N * (N * dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).sum(axis=0))
    return dx, dgamma, dbeta, None


bn.defvjp(bn_fwd, bn_bwd)


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            std = jnp.sqrt(self.running_var.value + self.eps)
            return self.gamma.value * (x - self.running_mean.value) / std + self.beta.value

        self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * x.mean(axis=0)
        self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * x.var(axis=0)
        return bn(x, self.gamma.value, self.beta.value, self.eps)
