"""BN as a single multiply-add: y = x * a + c with per-feature a and c."""
import jax
import jax.numpy as jnp
from flax import nnx


def _coefficients(mean, var, gamma, beta, eps):
    inv = jax.lax.rsqrt(var + eps)
    a = gamma * inv
    c = beta - mean * inv
    return a, c


class FoldedBatchNorm(nnx.Module):
    def __init__(self, features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.features = features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.running_var = nnx.BatchStat(jnp.ones((features,)))

    def _statistics(self, x, training):
        if not training:
            return self.running_mean[...], self.running_var[...]
        mean = jnp.mean(x, axis=0)
        var = jnp.mean((x - mean) ** 2, axis=0)
        self.running_mean[...] = (
            self.momentum * self.running_mean[...] + (1 - self.momentum) * mean
        )
        self.running_var[...] = (
            self.momentum * self.running_var[...] + (1 - self.momentum) * var
        )
        return mean, var

    def __call__(self, x, training=True):
        mean, var = self._statistics(x, training)
        a, c = _coefficients(mean, var, self.gamma[...], self.beta[...], self.eps)
        return x * a + c
