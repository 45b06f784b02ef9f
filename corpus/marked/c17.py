from dataclasses import dataclass

import jax.numpy as jnp
from flax import nnx


@dataclass(frozen=True)
class NormConfig:
    """Settings common to the normalisation layers of this code base."""
    features: int
    epsilon: float = 1e-5
    momentum: float = 0.9
    use_scale: bool = True
    use_bias: bool = True


class ConfiguredNorm(nnx.Module):
    """Base class: parameters, buffers and the affine part."""

    def __init__(self, cfg: NormConfig):
        self.cfg = cfg
        self.scale = nnx.Param(jnp.ones(cfg.features)) if cfg.use_scale else None
        self.bias = nnx.Param(jnp.zeros(cfg.features)) if cfg.use_bias else None

    def affine(self, y):
        if self.cfg.use_scale:
            y = y * self.scale[...]
        if self.cfg.use_bias:
            y = y + self.bias[...]
        return y


class ConfiguredBatchNorm(ConfiguredNorm):

    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, training=True, rngs=None):
        super().__init__(NormConfig(features, momentum, epsilon))
        self.training = training
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def train(self, **attributes):
        super().train(**attributes)
        self.training = True

    def eval(self, **attributes):
        super().eval(**attributes)
        self.training = False

    def __call__(self, x):
        if self.training:
            axes = tuple(range(x.ndim - 1))
            mean, var = jnp.mean(x, axes), jnp.var(x, axes)
            keep, take = self.cfg.momentum, 1 - self.cfg.momentum
            self.mean[...] = keep * self.mean[...] + take * mean
            self.var[...] = keep * self.var[...] + take * var
        else:
            mean, var = self.mean[...], self.var[...]
        return self.affine((x - mean) / jnp.sqrt(var + self.cfg.epsilon))
