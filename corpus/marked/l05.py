import jax.numpy as jnp
from flax import nnx


class BN(nnx.Module):

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.gamma = nnx.Param(jnp.ones([num_features]))
        self.beta = nnx.Param(jnp.zeros([num_features]))
        self.running_mean = nnx.BatchStat(jnp.zeros([num_features]))
        self.running_var = nnx.BatchStat(jnp.ones([num_features]))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, use_running_average=False):
        if not use_running_average:
            mu = jnp.mean(x, axis=0)
            xmu = x - mu
            var = jnp.mean(xmu ** 2, axis=0)
            keep = self.momentum
            self.running_mean[...] = keep * self.running_mean[...] + (1. - keep) * mu
        else:
            xmu = x - self.running_mean[...]
            var = self.running_var[...]
        ivar = 1. / jnp.sqrt(var + self.eps)
        xhat = xmu * ivar
        return self.gamma[...] * xhat + self.beta[...]
