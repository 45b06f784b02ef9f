from typing import Optional

import jax
import jax.numpy as jnp
from flax import nnx


class _NormBase(nnx.Module):
    """Common base of the batch and instance normalization layers."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.9, affine: bool = True):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        if affine:
            self.weight = nnx.Param(jnp.ones((num_features,)))
            self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _affine(self, x):
        return x * self.weight[...] + self.bias[...] if self.affine else x

    def _normalize(self, x, mean, var):
        return self._affine((x - mean) * jax.lax.rsqrt(var + self.eps))

    def _lerp(self, var: nnx.Variable, target: jax.Array) -> None:
        var[...] = var[...] + (1.0 - self.momentum) * (jax.lax.stop_gradient(target) - var[...])


class BatchNorm1d(_NormBase):
    def __init__(
        self,
        num_features: int,
        momentum: float = 0.9,
        eps: float = 1e-5,
        *,
        rngs: Optional[nnx.Rngs] = None,
    ):
        super().__init__(num_features, eps=eps, affine=True)

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        if use_running_average:
            return self._normalize(x, self.running_mean[...], self.running_var[...])
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        self._lerp(self.running_mean, mean)
        self._lerp(self.running_var, var)
        return self._normalize(x, mean, var)
