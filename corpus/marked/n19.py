import jax
import jax.numpy as jnp
from flax import nnx


class PropNorm(nnx.Module):
    """Batch norm; running statistics are exposed as read-only properties."""

    def __init__(self, d: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs=None):
        self._momentum = momentum
        self._eps = eps
        self.gamma = nnx.Param(jnp.ones((d,)))
        self.beta = nnx.Param(jnp.zeros((d,)))
        self._mean = nnx.BatchStat(jnp.zeros((d,)))
        self._var = nnx.BatchStat(jnp.zeros((d,)))

    @property
    def running_mean(self) -> jax.Array:
        return self._mean[...]

    @property
    def running_var(self) -> jax.Array:
        return self._var[...]

    @property
    def update_rate(self) -> float:
        return 1.0 - self._momentum

    def _push(self, mean: jax.Array, var: jax.Array) -> None:
        mean = jax.lax.stop_gradient(mean)
        var = jax.lax.stop_gradient(var)
        self._mean[...] = self.running_mean + self.update_rate * (mean - self.running_mean)
        self._var[...] = self.running_var + self.update_rate * (var - self.running_var)

    def _scale_shift(self, x: jax.Array, mean: jax.Array, var: jax.Array) -> jax.Array:
        return (x - mean) * (self.gamma[...] / jnp.sqrt(var + self._eps)) + self.beta[...]

    def __call__(self, x: jax.Array, train: bool = True) -> jax.Array:
        if train:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean(jnp.square(x - mean), axis=0)
            self._push(mean, var)
            return self._scale_shift(x, mean, var)
        return self._scale_shift(x, self.running_mean, self.running_var)
