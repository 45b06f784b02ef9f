import jax
import jax.numpy as jnp
from flax import nnx


class ScanBatchNorm(nnx.Module):
    """Statistics are accumulated with lax.scan to keep peak memory low."""

    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    @staticmethod
    def _accumulate(x):
        def step(carry, row):
            s, sq = carry
            return (s + row, sq + row * row), None

        init = (x[0], x[0] * x[0])
        (s, sq), _ = jax.lax.scan(step, init, x)
        return s, sq

    def __call__(self, x, use_running_average=False):
        if not use_running_average:
            s, sq = self._accumulate(x)
            mean = s / len(x)
            var = sq / len(x) - mean * mean
            self.mean[...] += (1 - self.momentum) * (mean - self.mean[...])
            self.var[...] += (1 - self.momentum) * (var - self.var[...])
        else:
            mean = self.mean[...]
            var = self.var[...]
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
