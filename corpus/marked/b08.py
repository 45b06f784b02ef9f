from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

Dtype = Any


class HalfBatchNorm(nnx.Module):
    """Batch norm for bfloat16 networks.

    Activations leave the layer in `dtype`; the reductions run in float32 and the
    parameters and statistics are kept in `param_dtype`.
    """

    def __init__(
        self,
        num_features: int,
        *,
        use_running_average: bool = False,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        dtype: Dtype = jnp.bfloat16,
        param_dtype: Dtype = jnp.float32,
        rngs: nnx.Rngs | None = None,
    ):
        shape = (num_features,)
        self.use_running_average = use_running_average
        self.momentum = momentum
        self.epsilon = epsilon
        self.dtype = dtype
        self.param_dtype = param_dtype
        self.mean = nnx.BatchStat(jnp.zeros(shape, param_dtype))
        self.var = nnx.BatchStat(jnp.ones(shape, param_dtype))
        self.scale = nnx.Param(jnp.ones(shape, param_dtype))
        self.bias = nnx.Param(jnp.zeros(shape, param_dtype))

    def _ema(self, old: jax.Array, new: jax.Array) -> jax.Array:
        mixed = self.momentum * old + (1.0 - self.momentum) * new
        return mixed.astype(self.dtype)

    def __call__(self, x: jax.Array, use_running_average: bool | None = None) -> jax.Array:
        if use_running_average is None:
            use_running_average = self.use_running_average

        x32 = jnp.asarray(x, jnp.float32)
        if use_running_average:
            mean = self.mean[...].astype(jnp.float32)
            var = self.var[...].astype(jnp.float32)
        else:
            reduce_axes = tuple(range(x.ndim - 1))
            mean = jnp.mean(x32, reduce_axes)
            var = jnp.var(x32, reduce_axes)
            self.mean[...] = self._ema(self.mean[...], mean)
            self.var[...] = self._ema(self.var[...], var)

        mul = jax.lax.rsqrt(var + self.epsilon) * self.scale[...]
        y = (x32 - mean) * mul + self.bias[...]
        return y.astype(self.dtype)
