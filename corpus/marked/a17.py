"""Batch norm with a folded multiply-add for inference."""
import jax
import jax.numpy as jnp
from flax import nnx


def fold(scale, bias, mean, var, eps):
    """Return (a, b) such that a * x + b is the inference-time batch norm."""
    inv_std = jax.lax.rsqrt(var + eps)
    a = scale * inv_std
    b = bias - mean * inv_std
    return a, b


class FoldingBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, epsilon: float = 1e-5,
                 param_dtype=jnp.float32, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,), param_dtype))
        self.bias = nnx.Param(jnp.zeros((num_features,), param_dtype))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        return self._train(x) if train else self._infer(x)

    def _infer(self, x):
        a, b = fold(self.scale[...], self.bias[...], self.mean[...], self.var[...], self.epsilon)
        return a * x + b

    def _train(self, x):
        mean = x.mean(axis=0)
        xc = x - mean
        var = (xc * xc).mean(axis=0)
        m = self.momentum
        self.mean[...] = m * self.mean[...] + (1 - m) * mean
        self.var[...] = m * self.var[...] + (1 - m) * var
        return xc * jax.lax.rsqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
