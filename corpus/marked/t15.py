import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class EmaBatchNormConfig:
    num_features: int
    decay: float = 0.9
    eps: float = 1e-5


class EmaBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.config = EmaBatchNormConfig(num_features, momentum, eps)
        self.scale = nnx.Param(jnp.ones(num_features))
        self.offset = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))
        self.counter = nnx.BatchStat(jnp.zeros((), dtype=jnp.int32))

    def _step(self, batch):
        d = self.config.decay
        mean, var = jax.tree.map(
            lambda old, new: d * old + (1.0 - d) * new,
            (self.mean[...], self.var[...]),
            batch,
        )
        self.mean[...] = mean
        self.var[...] = var
        self.counter[...] = self.counter[...] + 1

    def _average(self):
        t = jnp.maximum(self.counter[...], 1)
        correction = 1.0 - self.config.decay ** t
        return jax.tree.map(lambda s: s / correction, (self.mean[...], self.var[...]))

    def __call__(self, x, is_training=True):
        if is_training:
            stats = (jnp.mean(x, axis=0), jnp.var(x, axis=0))
            self._step(stats)
        else:
            stats = self._average()
        mean, var = stats
        inv = self.scale[...] * jax.lax.rsqrt(var + self.config.eps)
        return (x - mean) * inv + self.offset[...]
