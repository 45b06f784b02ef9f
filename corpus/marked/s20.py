"""Port of our old PyTorch BatchNorm1d (the project keeps `momentum` as a decay rate)."""
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.num_batches_tracked = nnx.Variable(jnp.zeros((), jnp.int32))

    def __call__(self, x, training=True):
        if x.ndim != 2 or x.shape[1] != self.num_features:
            raise ValueError(f"expected (N, {self.num_features}), got {x.shape}")
        if training:
            n = x.shape[0]
            mean = x.mean(axis=0)
            var = x.var(axis=0)
            self.num_batches_tracked.value += 1
            self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * mean
            self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * var * n / (n - 1)
        else:
            mean = self.running_mean.value
            var = self.running_var.value
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.weight.value * x_hat + self.bias.value
