import jax
import jax.numpy as jnp
from flax import nnx


def _fit_column(column, gain, offset, eps):
    mu = column.mean()
    sigma2 = jnp.square(column - mu).mean()
    return _use_column(column, mu, sigma2, gain, offset, eps), mu, sigma2


def _use_column(column, mu, sigma2, gain, offset, eps):
    return gain * (column - mu) / jnp.sqrt(sigma2 + eps) + offset


fit_columns = jax.vmap(_fit_column, in_axes=(1, 0, 0, None))
use_columns = jax.vmap(_use_column, in_axes=(1, 0, 0, 0, 0, None), out_axes=1)


class ColumnwiseBatchNorm(nnx.Module):
    """Each feature is normalized by a scalar program mapped over the columns."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = float(momentum)
        self.eps = float(eps)
        self.scale = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x, train: bool = True):
        gain, offset = self.scale[...], self.bias[...]
        if not train:
            return use_columns(x, self.mean[...], self.var[...], gain, offset, self.eps)
        rows, mu, sigma2 = fit_columns(x, gain, offset, self.eps)
        keep = self.momentum
        self.mean[...] = keep * self.mean[...] + (1 - keep) * jax.lax.stop_gradient(mu)
        self.var[...] = keep * self.var[...] + (1 - keep) * jax.lax.stop_gradient(sigma2)
        return rows.reshape(x.shape)
