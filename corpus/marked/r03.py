import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array


class TraceableBatchNorm(nnx.Module):
    """Batch norm whose mode flag may be a traced boolean.

    Nothing in ``__call__`` branches in Python, so the same compiled function
    serves for training steps and for validation.
    """

    def __init__(self, num_features: int, *, momentum: float = 0.9,
                 eps: float = 1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.ra_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.ra_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _ema(self, old: Array, new: Array) -> Array:
        return self.momentum * old + (1.0 - self.momentum) * new

    def __call__(self, x: Array, training=True) -> Array:
        training = jnp.asarray(training)
        ra_mean, ra_var = self.ra_mean[...], self.ra_var[...]

        batch_mean = jnp.mean(x, axis=0)
        batch_var = jnp.mean(jnp.square(x - batch_mean), axis=0)

        mean = jnp.where(training, batch_mean, ra_mean)
        var = jnp.where(training, ra_var, batch_var)

        self.ra_mean[...] = jnp.where(training, self._ema(ra_mean, batch_mean), ra_mean)
        self.ra_var[...] = jnp.where(training, self._ema(ra_var, batch_var), ra_var)

        y = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return y * self.gamma[...] + self.beta[...]
