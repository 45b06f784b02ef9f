import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class BNConfig:
    num_features: int
    momentum: float = 0.9   # share of the old running value that is kept
    eps: float = 1e-5


class ConfigurableBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.cfg = BNConfig(num_features, momentum, eps)
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _lerp(self, running, batch):
        return running + self.cfg.momentum * (batch - running)

    def _batch_stats(self, x):
        mean = x.mean(axis=0)
        var = x.var(axis=0)
        self.running_mean[...] = self._lerp(self.running_mean[...], mean)
        self.running_var[...] = self._lerp(self.running_var[...], var)
        return mean, var

    def _stored_stats(self, x):
        return self.running_mean[...], self.running_var[...]

    def __call__(self, x, training: bool = True):
        stats_fn = self._batch_stats if training else self._stored_stats
        mean, var = stats_fn(x)
        x_hat = (x - mean) * jax.lax.rsqrt(var + self.cfg.eps)
        return x_hat * self.weight[...] + self.bias[...]
