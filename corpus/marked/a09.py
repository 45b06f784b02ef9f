import jax
import jax.numpy as jnp
from flax import nnx
from jax.lax import stop_gradient


class RunningStatsMixin:
    """Owns `mean`/`var` and knows how to fold a new batch in."""

    def _init_stats(self, n):
        self.mean = nnx.BatchStat(jnp.zeros((n,)))
        self.var = nnx.BatchStat(jnp.ones((n,)))

    def _fold_in(self, mean, var):
        t = 1.0 - self.momentum
        self.mean[...] = self.mean[...] + t * (stop_gradient(mean) - self.mean[...])
        self.var[...] = self.var[...] + t * (stop_gradient(var) - self.var[...])


class AffineMixin:
    def _init_affine(self, n):
        self.scale = nnx.Param(jnp.ones((n,)))
        self.bias = nnx.Param(jnp.zeros((n,)))

    def _affine(self, x_hat):
        return self.scale[...] * x_hat + self.bias[...]


class MixinBatchNorm(RunningStatsMixin, AffineMixin, nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self._init_stats(num_features)
        self._init_affine(num_features)

    def __call__(self, x, deterministic):
        if deterministic:
            mean, var = self.mean[...], self.var[...]
        else:
            mean = stop_gradient(jnp.mean(x, axis=0))
            var = jnp.var(x, axis=0)
            self._fold_in(mean, var)
        x_hat = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        return self._affine(x_hat)
