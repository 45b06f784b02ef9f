"""BatchNorm whose mode may be a traced boolean (for scan-over-phases training loops)."""
import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class TracedModeBatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.9, eps: float = 1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x: jax.Array, use_running_average=False) -> jax.Array:
        decay = self.momentum

        def from_batch(x, ra_mean, ra_var):
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            new_mean = decay * ra_mean + (1.0 - decay) * mean
            new_var = decay * ra_var + (1.0 - decay) * var
            return mean, var, new_mean, new_var

        def from_running(x, ra_mean, ra_var):
            return ra_mean, ra_var, ra_mean, ra_var

        mean, var, new_mean, new_var = lax.cond(
            use_running_average,
            from_batch,
            from_running,
            x,
            self.mean.value,
            self.var.value,
        )
        self.mean.value = new_mean
        self.var.value = new_var

        y = (x - mean) * lax.rsqrt(var + self.eps)
        return y * self.scale.value + self.bias.value
