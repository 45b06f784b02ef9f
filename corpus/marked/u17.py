"""One-pass batch norm with matrix-unit friendly reductions.

Both moments are contractions over the batch axis, so they run as a single sweep on
the matrix unit.  To keep the one-pass formula well conditioned, rows are measured
from a reference row before squaring.
"""
import jax
import jax.numpy as jnp
from flax import nnx

HIGHEST = jax.lax.Precision.HIGHEST


def one_pass_moments(x):
    """Mean and (biased) variance of the columns of x."""
    n = x.shape[0]
    weights = jnp.full((n,), 1.0 / n, x.dtype)
    ref = jax.lax.stop_gradient(x[0])
    shifted = x - ref
    m1 = jnp.dot(weights, shifted, precision=HIGHEST)
    m2 = jnp.einsum("n,nd,nd->d", weights, shifted, shifted, precision=HIGHEST)
    mean = ref + m1
    var = jnp.maximum(m2 - jnp.square(mean), 0.0)
    return mean, var


class OnePassBatchNorm(nnx.Module):
    """Drop-in BatchNorm for (N, D) inputs.

    The variance is clipped at zero, since rounding can push it slightly below.
    """

    def __init__(self, dim, *, decay=0.9, eps=1e-5, rngs=None):
        self.decay = decay
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((dim,), dtype=jnp.float32))
        self.beta = nnx.Param(jnp.zeros((dim,), dtype=jnp.float32))
        self.ema_mean = nnx.BatchStat(jnp.zeros((dim,), dtype=jnp.float32))
        self.ema_var = nnx.BatchStat(jnp.ones((dim,), dtype=jnp.float32))

    def __call__(self, x, train=False):
        mean, var = self.ema_mean[...], self.ema_var[...]
        if train:
            batch_mean, batch_var = one_pass_moments(x)
            self.ema_mean[...] = mean + (1 - self.decay) * (batch_mean - mean)
            self.ema_var[...] = var + (1 - self.decay) * (batch_var - var)
            mean, var = batch_mean, batch_var
        inv = jax.lax.rsqrt(var + self.eps)
        return self.gamma[...] * ((x - mean) * inv) + self.beta[...]
