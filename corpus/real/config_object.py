"""Built from the configuration object of its model."""

import dataclasses

import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    stem_width: int
    norm_momentum: float
    norm_eps: float


class BatchNorm(nnx.Module):
    def __init__(self, cfg: ModelConfig):
        self.cfg = cfg
        self.gamma = nnx.Param(jnp.ones(cfg.stem_width))
        self.beta = nnx.Param(jnp.zeros(cfg.stem_width))
        self.running_mean = nnx.BatchStat(jnp.zeros(cfg.stem_width))
        self.running_var = nnx.BatchStat(jnp.ones(cfg.stem_width))

    def __call__(self, x, train: bool = True):
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            m = self.cfg.norm_momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.cfg.norm_eps) + self.beta[...]
