import jax
import jax.numpy as jnp
from flax import nnx


class Stage(nnx.Module):
    def tracked(self, slot, batch):
        fresh = jax.lax.stop_gradient(batch)
        slot[...] = self.momentum * slot[...] + (1.0 - self.momentum) * fresh
        return batch


class Center(Stage):
    def __init__(self, num_features, momentum):
        self.momentum = momentum
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))

    def __call__(self, h, training):
        mean = self.tracked(self.mean, jnp.mean(h, axis=0)) if training else self.mean[...]
        return h - mean


class Rescale(Stage):
    def __init__(self, num_features, momentum, eps):
        self.momentum = momentum
        self.eps = eps
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, h, training):
        var = self.tracked(self.var, jnp.mean(h * h, axis=0)) if training else self.var[...]
        return h * jax.lax.rsqrt(var + self.eps)


class Affine(Stage):
    def __init__(self, num_features):
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))

    def __call__(self, h, training):
        return h * self.scale[...] + self.bias[...]


class StagedBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.stages = nnx.List([
            Rescale(num_features, momentum, eps),
            Center(num_features, momentum),
            Affine(num_features),
        ])

    def __call__(self, x, training=True):
        for stage in self.stages:
            x = stage(x, training)
        return x
