"""One-pass batch norm; the mode can be a Python bool or an array."""
import jax
import jax.numpy as jnp
from flax import nnx


def one_pass_moments(x):
    """E[x] and Var[x] per column from the two running sums."""
    n = x.shape[0]
    x = x.astype(jnp.bfloat16)
    s1 = jnp.sum(x, axis=0, dtype=jnp.float32)
    s2 = jnp.sum(jnp.square(x), axis=0, dtype=jnp.float32)
    mean = s1 / n
    var = jnp.maximum(s2 / n - jnp.square(mean), 0.0)
    return mean, var


class OnePassBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _ema(self, old, new):
        return self.momentum * old + (1.0 - self.momentum) * new

    def __call__(self, x, training=True):
        batch_mean, batch_var = one_pass_moments(x)
        old_mean, old_var = self.mean.value, self.var.value

        mean = jnp.where(training, batch_mean, old_mean)
        var = jnp.where(training, batch_var, old_var)

        self.mean.value = jnp.where(training, self._ema(old_mean, batch_mean), old_mean)
        self.var.value = jnp.where(training, self._ema(old_var, batch_var), old_var)

        y = (x.astype(jnp.float32) - mean) * jax.lax.rsqrt(var + self.eps)
        y = y * self.gamma.value + self.beta.value
        return y.astype(x.dtype)
