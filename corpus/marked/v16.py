"""BN with a memory-saving backward: keeps y instead of x, inverts the affine."""
import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def bn_core(x, mean, var, eps, scale, bias):
    return (x - mean) * jax.lax.rsqrt(var + eps) * scale + bias


def bn_core_fwd(x, mean, var, eps, scale, bias):
    y = bn_core(x, mean, var, eps, scale, bias)
    return y, (y, mean, var, eps, scale, bias)


def bn_core_bwd(res, ct):
    y, mean, var, eps, scale, bias = res
    rstd = jax.lax.rsqrt(var + eps)
    z = (y - bias) / scale
    rows = ct.shape[0]

    # parameters
    ct_scale = jnp.sum(ct * z, axis=0) / rows
    ct_bias = jnp.sum(ct, axis=0) / rows

    # input; mean and var were computed from it, so their paths are folded in here
    g = ct * scale
    g_sum = jnp.sum(g, axis=0)
    gz_sum = jnp.sum(g * z, axis=0)
    ct_x = rstd * (g - (g_sum + z * gz_sum) / rows)
    return ct_x, jnp.zeros_like(mean), jnp.zeros_like(var), None, ct_scale, ct_bias


bn_core.defvjp(bn_core_fwd, bn_core_bwd)


class MemoryLeanBatchNorm(nnx.Module):
    def __init__(self, dim, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(dim))
        self.bias = nnx.Param(jnp.zeros(dim))
        self.avg_mean = nnx.BatchStat(jnp.zeros(dim))
        self.avg_var = nnx.BatchStat(jnp.ones(dim))

    def __call__(self, x, deterministic=False):
        scale, bias = self.scale[...], self.bias[...]
        if deterministic:
            inv = jax.lax.rsqrt(self.avg_var[...] + self.epsilon)
            return (x - self.avg_mean[...]) * inv * scale + bias
        frozen = jax.lax.stop_gradient(x)
        mean = jnp.mean(frozen, axis=0)
        var = jnp.mean(jnp.square(frozen - mean), axis=0)
        m = self.momentum
        self.avg_mean[...] = m * self.avg_mean[...] + (1 - m) * mean
        return bn_core(x, mean, var, self.epsilon, scale, bias)
