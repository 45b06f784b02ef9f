"""Per-feature formulation: every column is normalised on its own and vmapped."""
import jax
import jax.numpy as jnp
from flax import nnx


def _train_column(col, gamma, beta, eps):
    mean = col.mean()
    var = jnp.mean((col - mean) ** 2)
    out = gamma * (col - mean) * jax.lax.rsqrt(var + eps) + beta
    return out, mean, var


def _eval_column(col, mean, var, gamma, beta, eps):
    return gamma * (col - mean) * jax.lax.rsqrt(var + eps) + beta


train_columns = jax.vmap(_train_column, in_axes=(1, 0, 0, None), out_axes=(1, 0, 0))
eval_columns = jax.vmap(_eval_column, in_axes=(1, 0, 0, 0, 0, None), out_axes=1)


class ColumnNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def _store(self, mean, var):
        m = self.momentum
        self.mean.value = m * self.mean.value + (1 - m) * jax.lax.stop_gradient(mean)
        self.var.value = m * self.var.value + (1 - m) * jax.lax.stop_gradient(var)

    def __call__(self, x, use_running_average: bool):
        gamma, beta = self.gamma.value, self.beta.value
        if use_running_average:
            return eval_columns(
                x, self.mean.value, self.var.value, beta, gamma, self.eps
            )
        y, mean, var = train_columns(x, gamma, beta, self.eps)
        self._store(mean, var)
        return y
