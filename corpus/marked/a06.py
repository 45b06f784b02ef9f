"""Single-pass batch norm: moments come from Welford's recurrence, one row at a time."""
import jax
import jax.numpy as jnp
from flax import nnx


def welford(x):
    """Mean and population variance over the rows of x."""
    d = x.shape[1]
    init = (jnp.zeros((), x.dtype), jnp.zeros((d,), x.dtype), jnp.zeros((d,), x.dtype))

    def step(carry, row):
        count, mean, m2 = carry
        count = count + 1.0
        delta = row - mean
        mean = mean + delta / count
        m2 = m2 + delta * delta
        return (count, mean, m2), None

    (count, mean, m2), _ = jax.lax.scan(step, init, x)
    return mean, m2 / count


class StreamingBatchNorm(nnx.Module):

    def __init__(self, features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, deterministic=False):
        return self.apply_norm(x, deterministic)

    def apply_norm(self, x, deterministic):
        if deterministic:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = welford(x)
            a = self.momentum
            self.mean[...] = a * self.mean[...] + (1.0 - a) * mean
            self.var[...] = a * self.var[...] + (1.0 - a) * var
        inv = jax.lax.rsqrt(var + self.epsilon)
        return (x - mean) * inv * self.scale[...] + self.bias[...]
