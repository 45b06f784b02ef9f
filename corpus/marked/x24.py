"""Batch norm under a precision policy: activations in the dtype they arrive in,
statistics in float32, small constants wherever they are cheap."""
import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class Precision:
    params: jnp.dtype = jnp.float32
    stats: jnp.dtype = jnp.float32
    constants: jnp.dtype = jnp.bfloat16

    def constant(self, value):
        return jnp.asarray(value, self.constants)


class PolicyBatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        precision: Precision = Precision(),
        *,
        rngs: nnx.Rngs | None = None,
    ):
        shape = (num_features,)
        self.momentum = momentum
        self.epsilon = epsilon
        self.precision = precision
        self.scale = nnx.Param(jnp.ones(shape, precision.params))
        self.bias = nnx.Param(jnp.zeros(shape, precision.params))
        self.mean = nnx.BatchStat(jnp.zeros(shape, precision.stats))
        self.var = nnx.BatchStat(jnp.ones(shape, precision.stats))

    def _moments(self, x):
        x = x.astype(self.precision.stats)
        mean = jnp.mean(x, axis=0)
        return mean, jnp.mean(jnp.square(x - mean), axis=0)

    def _update(self, mean, var):
        keep = self.precision.constant(self.momentum)
        take = 1 - keep
        for stat, new in ((self.mean, mean), (self.var, var)):
            stat[...] = keep * stat[...] + take * jax.lax.stop_gradient(new)

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self._moments(x)
            self._update(mean, var)
        inv_std = jax.lax.rsqrt(var + self.epsilon)
        y = (x - mean) * inv_std * self.scale[...] + self.bias[...]
        return y.astype(x.dtype)
