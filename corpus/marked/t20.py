import jax.numpy as jnp
from flax import nnx


class EinsumBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def _moments(self, x):
        w = jnp.full((x.shape[0],), 1.0 / x.shape[0], dtype=x.dtype)
        mean = jnp.einsum("n,nd->d", w, x)
        var = jnp.einsum("n,nd,nd->d", w, x, x)
        return mean, var

    def _decay(self, stat, value):
        stat[...] = self.momentum * stat[...] + (1 - self.momentum) * value

    def __call__(self, x, use_running_average=False):
        if not use_running_average:
            mean, var = self._moments(x)
            self._decay(self.running_mean, mean)
            self._decay(self.running_var, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        rstd = 1.0 / jnp.sqrt(var + self.eps)
        return jnp.einsum("nd,d->nd", x - mean, rstd * self.gamma[...]) + self.beta[...]
