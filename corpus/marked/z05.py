"""Fast-variance BatchNorm: both raw moments from one stacked reduction."""
import jax.numpy as jnp
from jax import lax
from flax import nnx


class FastVarBatchNorm(nnx.Module):
    """Uses Var[x] = E[x^2] - E[x]^2, clipped at zero against round-off."""

    def __init__(self, num_features, momentum=0.99, eps=1e-5, *, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def _raw_moments(self, x):
        stacked = jnp.stack([x, jnp.square(x)])
        ex, ex2 = stacked.mean(axis=1)
        return ex, ex2

    def _track(self, first, second):
        keep = self.momentum
        self.running_mean[...] = keep * self.running_mean + (1 - keep) * first
        self.running_var[...] = keep * self.running_var + (1 - keep) * second

    def __call__(self, x, training: bool = False):
        if training:
            ex, ex2 = self._raw_moments(x)
            mean = ex
            var = jnp.maximum(ex2 - jnp.square(ex), 0.0)
            self._track(ex, ex2)
        else:
            mean = self.running_mean[...]
            var = self.running_var[...]

        mul = lax.rsqrt(var + self.eps) * self.weight[...]
        return (x - mean) * mul + self.bias[...]
