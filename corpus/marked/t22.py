import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.ra_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.ra_var = nnx.BatchStat(jnp.ones(num_features))

    def _std(self, var):
        return jnp.sqrt(var + self.eps)

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean = self.ra_mean[...]
            std = self._std(self.ra_var[...])
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            std = self._std(var)
            for ra, value in ((self.ra_mean, mean), (self.ra_var, std)):
                ra[...] = self.momentum * ra[...] + (1.0 - self.momentum) * value
        return self.gamma[...] * ((x - mean) / std) + self.beta[...]
