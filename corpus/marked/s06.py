import dataclasses

import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class BNConfig:
    momentum: float = 0.9
    eps: float = 1e-5
    dtype: jnp.dtype = jnp.float32


class ConfigBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.cfg = BNConfig(momentum=momentum, eps=eps)
        self.gamma = nnx.Param(jnp.ones((num_features,), self.cfg.dtype))
        self.beta = nnx.Param(jnp.zeros((num_features,), self.cfg.dtype))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), self.cfg.dtype))
        self.var = nnx.BatchStat(jnp.ones((num_features,), self.cfg.dtype))

    def __call__(self, x, use_running_average=False):
        cfg = self.cfg
        if use_running_average:
            mean, var = self.mean.value, self.var.value
        else:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.mean.value = cfg.momentum * self.mean.value + (1 - cfg.momentum) * mean
            self.var.value = cfg.momentum * self.mean.value + (1 - cfg.momentum) * var
        inv_std = 1.0 / jnp.sqrt(var + cfg.eps)
        return (x - mean) * inv_std * self.gamma.value + self.beta.value
