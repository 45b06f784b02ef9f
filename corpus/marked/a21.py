import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_jvp
def inv_sqrt(v):
    """1/sqrt(v) with a derivative that reuses the primal result."""
    return jax.lax.rsqrt(v)


@inv_sqrt.defjvp
def _inv_sqrt_jvp(primals, tangents):
    (v,), (dv,) = primals, tangents
    r = inv_sqrt(v)
    return r, -0.5 * dv * r * r


@dataclasses.dataclass(eq=False)
class DataclassBatchNorm(nnx.Module):
    num_features: int
    momentum: float = 0.9
    epsilon: float = 1e-5
    rngs: dataclasses.InitVar[nnx.Rngs | None] = None

    def __post_init__(self, rngs):
        shape = (self.num_features,)
        self.scale = nnx.Param(jnp.ones(shape))
        self.bias = nnx.Param(jnp.zeros(shape))
        self.mean = nnx.BatchStat(jnp.zeros(shape))
        self.var = nnx.BatchStat(jnp.ones(shape))

    def __call__(self, x, is_training: bool):
        if is_training:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean((x - mean) ** 2, axis=0)
            self.mean[...] = self._mix(self.mean[...], mean)
            self.var[...] = self._mix(self.var[...], var)
        else:
            mean, var = self.mean[...], self.var[...]
        return (x - mean) * inv_sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]

    def _mix(self, old, new):
        return self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)
