import jax.numpy as jnp
from flax import nnx
from jax import lax


class Derived(nnx.Variable):
    pass


def inverse_std(var, eps):
    return 1.0 / jnp.sqrt(var + eps)


class PrecomputedBatchNorm(nnx.Module):
    """Keeps 1/std of the running variance ready for evaluation."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))
        self.inv_std = Derived(inverse_std(self.var[...], eps))

    def _ema(self, old, new):
        return self.momentum * old + (1.0 - self.momentum) * lax.stop_gradient(new)

    def _absorb(self, mean, var):
        self.mean[...] = self._ema(self.mean[...], mean)
        self.inv_std[...] = inverse_std(self.var[...], self.eps)
        self.var[...] = self._ema(self.var[...], var)

    def __call__(self, x, *, deterministic=False):
        if deterministic:
            normalized = (x - self.mean[...]) * self.inv_std[...]
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            normalized = (x - mean) * inverse_std(var, self.eps)
            self._absorb(mean, var)
        return normalized * self.scale[...] + self.bias[...]
