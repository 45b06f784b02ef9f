import jax
import jax.numpy as jnp
from flax import nnx


class StepCount(nnx.Variable):
    pass


class WarmupBatchNorm(nnx.Module):
    """BatchNorm that can leave early batches out of its running statistics.

    The first ``warmup_steps`` training batches (none by default) are
    normalized as usual but do not enter the running averages.
    """

    def __init__(self, num_features: int, *, momentum: float = 0.9,
                 eps: float = 1e-5, warmup_steps: int = 0,
                 rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.eps = eps
        self.warmup_steps = warmup_steps

        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))
        self.steps_seen = StepCount(jnp.zeros((), jnp.int32))

    def _record(self, mean, var):
        warm = self.steps_seen[...] > self.warmup_steps
        weight = jnp.where(warm, 1.0 - self.momentum, 0.0)
        self.running_mean[...] += weight * (mean - self.running_mean[...])
        self.running_var[...] += weight * (var - self.running_var[...])
        self.steps_seen[...] += 1

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
            self._record(jax.lax.stop_gradient(mean), jax.lax.stop_gradient(var))
        x = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return x * self.gamma[...] + self.beta[...]
