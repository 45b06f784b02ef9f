"""Norm layers built out of mixins (affine part, statistics part)."""
import jax
import jax.numpy as jnp
from flax import nnx


class AffineMixin:
    def init_affine(self, dim):
        self.scale = nnx.Param(jnp.full((dim,), 1.0))
        self.bias = nnx.Param(jnp.full((dim,), 0.0))

    def affine(self, z):
        return z * self.scale[...] + self.bias[...]


class RunningStatsMixin:
    """Keeps one exponential average per name in ``STATS``."""

    STATS = ("mean", "var")

    def init_stats(self, dim, momentum):
        self.momentum = momentum
        for name in self.STATS:
            setattr(self, f"running_{name}", nnx.BatchStat(jnp.zeros((dim,))))

    def observe(self, **batch):
        for name, value in batch.items():
            stat = getattr(self, f"running_{name}")
            value = jax.lax.stop_gradient(value)
            stat[...] = self.momentum * stat[...] + (1 - self.momentum) * value

    def recall(self):
        return tuple(getattr(self, f"running_{name}")[...] for name in self.STATS)


class BatchNorm(AffineMixin, RunningStatsMixin, nnx.Module):
    """y = scale * (x - mean) / sqrt(var + eps) + bias.

    ``momentum`` is the part of each running statistic that is kept.
    """

    def __init__(self, num_features, momentum=0.9, eps=1e-5, rngs=None):
        self.eps = eps
        self.init_affine(num_features)
        self.init_stats(num_features, momentum)

    def __call__(self, x, *, train):
        if train:
            mean, var = x.mean(0), x.var(0)
            self.observe(mean=mean, var=var)
        else:
            mean, var = self.recall()
        return self.affine((x - mean) / jnp.sqrt(var + self.eps))
