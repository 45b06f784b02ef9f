import jax
import jax.numpy as jnp
from flax import nnx


class CondBatchNorm(nnx.Module):
    """Mode may be a traced boolean, hence lax.cond."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def _track(self, mean, var):
        m = self.momentum
        self.mean[...] = m * self.mean[...] + (1 - m) * mean
        self.var[...] = m * self.var[...] + (1 - m) * var

    def __call__(self, x, training=True):
        batch = (jnp.mean(x, axis=0), jnp.var(x, axis=0))
        running = (self.mean[...], self.var[...])
        mean, var = jax.lax.cond(
            training,
            lambda b, r: b,
            lambda b, r: r,
            batch,
            running,
        )
        self._track(*batch)
        y = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return y * self.gamma[...] + self.beta[...]
