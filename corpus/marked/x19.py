"""Batch norm; inference is folded into one multiply-add per element."""
import jax
import jax.numpy as jnp
from flax import nnx


def fold(scale, bias, mean, var, eps):
    """Coefficients (a, b) such that the layer is x -> a * x + b."""
    inv_std = jax.lax.rsqrt(var + eps)
    a = scale * inv_std
    b = bias - mean * inv_std
    return a, b


class FoldedBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5,
                 use_running_average=False, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.use_running_average = use_running_average
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def inference(self, x):
        a, b = fold(
            self.scale[...], self.bias[...], self.mean[...], self.var[...], self.eps
        )
        return a * x + b

    def training_step(self, x):
        mean = jnp.mean(x, axis=0)
        centred = x - mean
        var = jnp.mean(centred * centred, axis=0)
        self.update(jax.lax.stop_gradient(mean), jax.lax.stop_gradient(var))
        return centred * jax.lax.rsqrt(var + self.eps) * self.scale[...] + self.bias[...]

    def update(self, mean, var):
        old, new = self.momentum, 1.0 - self.momentum
        self.mean[...] = old * self.mean[...] + new * mean
        self.var[...] = old * self.var[...] + new * var

    def __call__(self, x, use_running_average=None):
        if use_running_average is None:
            use_running_average = self.use_running_average
        return self.inference(x) if use_running_average else self.training_step(x)
