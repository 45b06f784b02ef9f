import jax.numpy as jnp
from flax import nnx


class BN(nnx.Module):
    def __init__(self, features, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(features))
        self.beta = nnx.Param(jnp.zeros(features))
        self.running_mean = nnx.BatchStat(jnp.zeros(features))
        self.running_var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average=False):
        if not use_running_average:
            mu = x.mean(0)
            var = ((x - mu) ** 2).mean(0)
            rho = self.momentum
            self.running_mean.value = rho * self.running_mean.value + (1 - rho) * mu
            self.running_var.value = rho * self.running_var.value + (1 - rho) * var
        else:
            mu = self.running_mean.value
            var = self.running_var.value
        z = (x - mu) / jnp.sqrt(var + self.eps)
        return self.gamma.value * (z + self.beta.value)
