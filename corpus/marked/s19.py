"""Batch norm written for a single column and vmapped over the features."""
import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def normalize_column(col, gamma, beta, eps):
    centered = col - col.mean()
    return gamma * centered / jnp.sqrt(jnp.mean(centered ** 2) + eps) + beta


def normalize_column_fwd(col, gamma, beta, eps):
    centered = col - col.mean()
    rstd = 1.0 / jnp.sqrt(jnp.mean(centered ** 2) + eps)
    return gamma * centered * rstd + beta, (centered, rstd, gamma)


def normalize_column_bwd(res, dout):
    centered, rstd, gamma = res
    n = dout.size
    dbeta = dout.sum()
    dgamma = jnp.dot(dout, centered)
    dnorm = gamma * dout
    dvar = -0.5 * rstd ** 3 * jnp.dot(dnorm, centered)
    dmean = -rstd * dnorm.sum()
    dcol = dnorm * rstd + dvar * 2.0 * centered / n + dmean / n
    return dcol, dgamma, dbeta, jnp.zeros_like(rstd)


normalize_column.defvjp(normalize_column_fwd, normalize_column_bwd)
normalize_columns = jax.vmap(normalize_column, in_axes=(1, 0, 0, None), out_axes=1)


class ColumnBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum, self.eps = momentum, eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def update_running(self, x):
        mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
        for stat, new in ((self.running_mean, mean), (self.running_var, var)):
            stat.value = self.momentum * stat.value + (1 - self.momentum) * new

    def __call__(self, x, training=True):
        if training:
            self.update_running(x)
            return normalize_columns(x, self.gamma.value, self.beta.value, self.eps)
        xn = (x - self.running_mean.value) / jnp.sqrt(self.running_var.value + self.eps)
        return xn * self.gamma.value + self.beta.value
