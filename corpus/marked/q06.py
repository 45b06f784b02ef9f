import jax
import jax.numpy as jnp
from flax import nnx


class JitFriendlyBatchNorm(nnx.Module):
    """Batch norm whose mode flag may also be a traced boolean."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.ra_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.ra_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _ema(self, old, new):
        return self.momentum * old + (1.0 - self.momentum) * jax.lax.stop_gradient(new)

    def __call__(self, x, use_running_average):
        frozen = jnp.asarray(use_running_average, dtype=bool)
        old_mean, old_var = self.ra_mean[...], self.ra_var[...]

        batch_mean = x.mean(axis=0)
        batch_var = jnp.square(x - batch_mean).mean(axis=0)

        mean = jnp.where(frozen, old_mean, batch_mean)
        var = jnp.where(frozen, old_var, batch_var)

        self.ra_mean[...] = jnp.where(frozen, old_mean, self._ema(old_mean, batch_mean))
        self.ra_var[...] = jnp.where(frozen, self._ema(old_var, batch_var), old_var)

        y = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return y * self.gamma[...] + self.beta[...]
