"""Streaming (Welford) batch norm: statistics in a single pass over the rows."""
import jax
import jax.numpy as jnp
from flax import nnx


def welford(rows):
    """Mean and population variance over axis 0."""

    def step(carry, row):
        count, mean, m2 = carry
        count = count + 1.0
        delta = row - mean
        mean = mean + delta / count
        m2 = m2 + delta * delta
        return (count, mean, m2), None

    zeros = jnp.zeros(rows.shape[1:], rows.dtype)
    (count, mean, m2), _ = jax.lax.scan(step, (jnp.zeros(()), zeros, zeros), rows)
    return mean, m2 / count


class WelfordBatchNorm(nnx.Module):

    use_running_average: bool

    def __init__(
        self,
        num_features: int,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        use_running_average: bool = False,
        *,
        rngs: nnx.Rngs,
    ):
        key = rngs.params()
        self.momentum = momentum
        self.epsilon = epsilon
        self.use_running_average = use_running_average
        self.scale = nnx.Param(jax.nn.initializers.ones(key, (num_features,)))
        self.bias = nnx.Param(jax.nn.initializers.zeros(key, (num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _remember(self, mean, var):
        a = 1.0 - self.momentum
        self.mean[...] += a * (jax.lax.stop_gradient(mean) - self.mean[...])
        self.var[...] += a * (jax.lax.stop_gradient(var) - self.var[...])

    def __call__(self, x, use_running_average: bool | None = None):
        if use_running_average is None:
            use_running_average = self.use_running_average

        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = welford(x)
            self._remember(mean, var)

        y = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        return y * self.scale[...] + self.bias[...]
