"""Batch norm after equinox.nn.BatchNorm, with nnx variables in place of State."""
import jax
import jax.numpy as jnp
from flax import nnx


class FirstTime(nnx.Variable):
    """Whether no batch has been seen yet."""


class EqxBatchNorm(nnx.Module):
    def __init__(self, input_size: int, eps: float = 1e-3, momentum: float = 0.9,
                 *, rngs: nnx.Rngs | None = None):
        self.input_size = input_size
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones((input_size,)))
        self.bias = nnx.Param(jnp.zeros((input_size,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((input_size,)))
        self.running_var = nnx.BatchStat(jnp.ones((input_size,)))
        self.first_time = FirstTime(jnp.array(True))

    def _ema(self, old, new):
        mixed = self.momentum * old + (1 - self.momentum) * new
        return jnp.where(self.first_time[...], new, mixed)

    def _normalise(self, y, mean, var):
        # never divide by (almost) nothing
        std = jnp.sqrt(jnp.maximum(var, self.eps))
        return (y - mean) / std

    def __call__(self, x, use_running_average: bool = False):
        if use_running_average:
            out = self._normalise(x, self.running_mean[...], self.running_var[...])
            return out * self.weight[...] + self.bias[...]

        def stats(column):
            mean = jnp.mean(column)
            return mean, jnp.mean((column - mean) ** 2)

        # one column per feature
        batch_mean, batch_var = jax.vmap(stats, in_axes=1)(x)
        self.running_mean[...] = self._ema(self.running_mean[...], batch_mean)
        self.running_var[...] = self._ema(self.running_var[...], batch_var)
        self.first_time[...] = jnp.array(False)

        out = self._normalise(x, batch_mean, batch_var)
        return out * self.weight[...] + self.bias[...]
