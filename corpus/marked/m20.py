import jax
import jax.numpy as jnp
from jax.lax import stop_gradient
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.99, eps: float = 1e-3, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(nnx.initializers.ones_init()(rngs.params(), (num_features,), jnp.float32))
        self.beta = nnx.Param(nnx.initializers.zeros_init()(rngs.params(), (num_features,), jnp.float32))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _track(self, name: str, value: jax.Array) -> None:
        stat = getattr(self, name)
        stat.value = self.momentum * stat.value + (1.0 - self.momentum) * stop_gradient(value)

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        x = x.astype(jnp.float32)
        if use_running_average:
            mean = self.running_mean.value
            var = self.running_var.value
        else:
            mean = stop_gradient(jnp.mean(x, axis=0))
            var = jnp.mean(jnp.square(x - mean), axis=0)
            self._track("running_mean", mean)
            self._track("running_var", var)
        inv = jax.lax.rsqrt(var + self.eps) * self.gamma.value
        return x * inv + (self.beta.value - mean * inv)
