"""BatchNorm, backward derived by hand along the computational graph."""
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


def moments(x):
    mu = x.mean(axis=0)
    return mu, ((x - mu) ** 2).mean(axis=0)


def scale_shift(x, mu, var, gamma, beta, eps):
    return gamma * (x - mu) / jnp.sqrt(var + eps) + beta


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def train_norm(x, gamma, beta, eps):
    return scale_shift(x, *moments(x), gamma, beta, eps)


def train_norm_fwd(x, gamma, beta, eps):
    mu, var = moments(x)
    return scale_shift(x, mu, var, gamma, beta, eps), (x, mu, var, gamma)


def train_norm_bwd(eps, res, dout):
    x, mu, var, gamma = res
    n = x.shape[0]
    ivar = 1.0 / jnp.sqrt(var + eps)
    xc = x - mu
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xc * ivar).sum(axis=0)
    dxhat = dout * gamma
    # d(loss)/d(var), then d(loss)/d(mu), then both back into x
    dvar = -0.5 * (dxhat * xc).sum(axis=0) * ivar**3
    dmu = -(dxhat * ivar).sum(axis=0)
    dx = dxhat * ivar + dvar * xc / n + dmu / n
    return dx, dgamma, dbeta


train_norm.defvjp(train_norm_fwd, train_norm_bwd)


class GraphBatchNorm(nnx.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.9, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self.use_running_average = False
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.run_mu = nnx.BatchStat(jnp.zeros((num_features,)))
        self.run_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x):
        gamma, beta = self.gamma[...], self.beta[...]
        mu, var = moments(x)
        if self.use_running_average:
            mu = self.run_mu[...]
            return scale_shift(x, mu, var, gamma, beta, self.eps)
        m = self.momentum
        self.run_mu[...] = m * self.run_mu[...] + (1 - m) * mu
        self.run_var[...] = m * self.run_var[...] + (1 - m) * var
        return train_norm(x, gamma, beta, self.eps)
