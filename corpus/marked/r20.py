import jax
import jax.numpy as jnp
from flax import nnx


class MixedPrecisionBatchNorm(nnx.Module):
    """Batch norm for mixed-precision models.

    Statistics, parameters and arithmetic are float32 whatever the input type;
    the result is returned in the type of the input.
    """

    stats_dtype = jnp.float32

    def __init__(self, num_features: int, *, momentum: float = 0.9,
                 eps: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.eps = eps
        full = lambda v: jnp.full((num_features,), v, self.stats_dtype)
        self.gamma = nnx.Param(full(1.0))
        self.beta = nnx.Param(full(0.0))
        self.running_mean = nnx.BatchStat(full(0.0))
        self.running_var = nnx.BatchStat(full(1.0))

    def _moments(self, x32):
        mean = jnp.mean(x32, axis=0)
        var = jnp.mean(jnp.square(x32 - mean), axis=0)
        return mean, var

    def _update_running(self, mean, var):
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1.0 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1.0 - m) * var

    def __call__(self, x: jax.Array, training: bool = True) -> jax.Array:
        x32 = x.astype(self.stats_dtype)
        if training:
            mean, var = self._moments(x32)
            self._update_running(mean, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]

        inv_std = jax.lax.rsqrt(var + self.eps)
        x_hat = ((x32 - mean) * inv_std).astype(jnp.float16)
        y = self.gamma[...] * x_hat + self.beta[...]
        return y.astype(x.dtype)
