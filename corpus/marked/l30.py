import jax.numpy as jnp
from flax import nnx


class EinsumBatchNorm(nnx.Module):
    def __init__(self, features, *, momentum=0.9, epsilon=1e-5, rngs):
        self.m = momentum
        self.eps = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
            xc = x - mean[None, :]
        else:
            mean = jnp.einsum('nd->d', x) / x.shape[0]
            xc = x - mean[None, :]
            var = jnp.einsum('nd,nd->d', xc, xc) / x.shape[1]
            self.mean[...] = self.m * self.mean[...] + (1 - self.m) * mean
            self.var[...] = self.m * self.var[...] + (1 - self.m) * var
        w = self.scale[...] / jnp.sqrt(var + self.eps)
        return jnp.einsum('nd,d->nd', xc, w) + self.bias[...]
