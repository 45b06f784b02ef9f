"""BatchNorm built from two helper modules: EMA buffers and an affine map."""
import jax.numpy as jnp
from flax import nnx


class Ema(nnx.Module):
    def __init__(self, initial, decay):
        self.decay = decay
        self.value_ = nnx.BatchStat(initial)

    def push(self, new):
        self.value_[...] = self.decay * self.value_[...] + (1 - self.decay) * new

    def read(self):
        return self.value_[...]


class Affine(nnx.Module):
    def __init__(self, num_features):
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))

    def __call__(self, x):
        return x * self.scale[...] + self.bias[...]


class ModularBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.eps = eps
        self.running_mean = Ema(jnp.zeros((num_features,)), momentum)
        self.running_var = Ema(jnp.ones((num_features,)), momentum)
        self.affine = Affine(num_features)

    def __call__(self, x, train):
        if train:
            mu = x.mean(axis=0)
            sigma = jnp.sqrt(((x - mu) ** 2).mean(axis=0) + self.eps)
            self.running_mean.push(mu)
            self.running_var.push(sigma)
        else:
            mu = self.running_mean.read()
            sigma = jnp.sqrt(self.running_var.read() + self.eps)
        return self.affine((x - mu) / sigma)
