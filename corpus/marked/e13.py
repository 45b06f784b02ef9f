import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


@jax.custom_vjp
def normalize(x, mean, var, scale, bias, eps):
    return (x - mean) * lax.rsqrt(var + eps) * scale + bias


def normalize_fwd(x, mean, var, scale, bias, eps):
    inv = lax.rsqrt(var + eps)
    xhat = (x - mean) * inv
    return xhat * scale + bias, (xhat, inv, scale)


def normalize_bwd(saved, g):
    xhat, inv, scale = saved
    d_hat = g * scale
    d_x = d_hat * inv
    d_mean = -jnp.sum(d_x, axis=0)
    d_var = -0.5 * jnp.sum(d_hat * xhat, axis=0) * inv**3
    d_scale = jnp.sum(g * xhat, axis=0)
    d_bias = jnp.sum(g, axis=0)
    return d_x, d_mean, d_var, d_scale, d_bias, None


normalize.defvjp(normalize_fwd, normalize_bwd)


class ExplicitGradBatchNorm(nnx.Module):
    """The affine step has a hand-written pullback; the statistics use autodiff."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            stats = (self.mean[...], self.var[...])
        else:
            stats = (jnp.mean(x, axis=0), jnp.var(x, axis=0))
            mean, var = map(lax.stop_gradient, stats)
            self.mean[...] = self.mean[...] * self.momentum + mean * (1 - self.momentum)
            self.var[...] = self.var[...] * self.momentum + var * (1 - self.momentum)
        return normalize(x, *stats, self.scale[...], self.bias[...], self.eps)
