from dataclasses import dataclass, field

import jax.numpy as jnp
from flax import nnx


@dataclass(frozen=True)
class NormConfig:
    features: int
    momentum: float = 0.9
    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True
    train_axes: tuple = field(default=None)  # None: all but the last

    def axes(self, ndim):
        return tuple(range(ndim - 1)) if self.train_axes is None else self.train_axes


@dataclass(frozen=True)
class Moments:
    mean: jnp.ndarray
    var: jnp.ndarray

    @classmethod
    def of(cls, x, axes):
        return cls(jnp.mean(x, axes), jnp.var(x, axes))

    def standardize(self, x, eps):
        return (x - self.mean) / jnp.sqrt(self.var + eps)


class ConfigBatchNorm(nnx.Module):
    def __init__(self, num_features, *, rngs=None, **options):
        cfg = NormConfig(num_features, **options)
        self.cfg = cfg
        self.training = True
        self.mean = nnx.BatchStat(jnp.zeros(cfg.features))
        self.var = nnx.BatchStat(jnp.ones(cfg.features))
        if cfg.scale:
            self.scale = nnx.Param(jnp.ones(cfg.features))
        if cfg.bias:
            self.bias = nnx.Param(jnp.zeros(cfg.features))

    def _record(self, batch):
        keep = self.cfg.momentum
        self.mean[...] = keep * self.mean[...] + (1 - keep) * batch.mean
        self.var[...] = keep * self.var[...] + (1 - keep) * batch.var

    def _affine(self, y):
        if self.cfg.scale:
            y = y * self.scale[...]
        elif self.cfg.bias:
            y = y + self.bias[...]
        return y

    def __call__(self, x):
        if self.training:
            moments = Moments.of(x, self.cfg.axes(x.ndim))
            self._record(moments)
        else:
            moments = Moments(self.mean[...], self.var[...])
        return self._affine(moments.standardize(x, self.cfg.epsilon))
