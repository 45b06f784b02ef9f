"""Fused BatchNorm op that returns (y, mean, var) with an explicit VJP."""
import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def fused_bn(x, scale, bias, epsilon):
    out, _ = fused_bn_fwd(x, scale, bias, epsilon)
    return out


def fused_bn_fwd(x, scale, bias, epsilon):
    mean = jnp.mean(x, axis=0)
    centred = x - mean
    var = jnp.mean(centred * centred, axis=0)
    rstd = 1.0 / jnp.sqrt(var + epsilon)
    y = centred * (rstd * scale) + bias
    return (y, mean, var), (centred, rstd, scale)


def fused_bn_bwd(saved, cotangents):
    centred, rstd, scale = saved
    dy, dmean, dvar = cotangents
    n = dy.shape[0]

    sum_dy = dy.sum(axis=0)
    sum_dy_centred = (dy * centred).sum(axis=0)

    dbias = sum_dy
    dscale = sum_dy_centred

    dx = scale * rstd * (
        dy - sum_dy / n - centred * rstd**2 * sum_dy_centred / n)
    dx = dx + dmean / n + 2.0 * centred * dvar / n
    return dx, dscale, dbias, None


fused_bn.defvjp(fused_bn_fwd, fused_bn_bwd)


class FusedBatchNorm(nnx.Module):
    """Drop-in BatchNorm; `decay` is the weight of the old running value."""

    def __init__(self, num_features, *, decay=0.9, epsilon=1e-5, rngs=None):
        self.decay = decay
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.ra_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.ra_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average: bool):
        if use_running_average:
            rstd = 1.0 / jnp.sqrt(self.ra_var[...] + self.epsilon)
            return (x - self.ra_mean[...]) * (rstd * self.scale[...]) + self.bias[...]
        y, mean, var = fused_bn(x, self.scale[...], self.bias[...], self.epsilon)
        d = self.decay
        self.ra_mean[...] = d * self.ra_mean[...] + (1 - d) * mean
        self.ra_var[...] = d * self.ra_var[...] + (1 - d) * var
        return y
