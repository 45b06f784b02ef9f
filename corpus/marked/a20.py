"""Memory-lean batch norm: the backward pass streams over rows and recomputes x_hat."""
import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def normalize_affine(x, scale, bias, eps):
    mean, var = x.mean(0), x.var(0)
    return (x - mean) * jax.lax.rsqrt(var + eps) * scale + bias


def _fwd(x, scale, bias, eps):
    mean, var = x.mean(0), x.var(0)
    rstd = jax.lax.rsqrt(var + eps)
    return (x - mean) * rstd * scale + bias, (x, mean, rstd, scale)


def _bwd(saved, g):
    x, mean, rstd, scale = saved
    n = x.shape[0]

    def reduce_row(acc, inp):
        g_row, x_row = inp
        s0, s1 = acc
        return (s0 + g_row, s1 + g_row * (x_row - mean) * rstd), None

    zeros = jnp.zeros_like(mean)
    (s0, s1), _ = jax.lax.scan(reduce_row, (zeros, zeros), (g, x))

    def emit_row(_, inp):
        g_row, x_row = inp
        x_hat = (x_row - mean) * rstd
        return None, rstd * (g_row - s0 / n - x_hat * s1 / n)

    _, dx = jax.lax.scan(emit_row, None, (g, x))
    return dx, s1, s0, None


normalize_affine.defvjp(_fwd, _bwd)


class LeanBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training=False):
        scale, bias = self.scale[...], self.bias[...]
        if not training:
            return (x - self.mean[...]) * jax.lax.rsqrt(self.var[...] + self.epsilon) * scale + bias
        frozen = jax.lax.stop_gradient(x)
        for stat, value in ((self.mean, frozen.mean(0)), (self.var, frozen.var(0))):
            stat[...] = self.momentum * stat[...] + (1 - self.momentum) * value
        return normalize_affine(x, scale, bias, self.epsilon)
