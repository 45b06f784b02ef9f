import functools
import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx

Array = jax.Array


def _fwd_impl(x: Array, scale: Array, bias: Array, eps: float):
    mean = x.mean(axis=0)
    xc = x - mean
    var = jnp.mean(lax.square(xc), axis=0)
    rstd = lax.rsqrt(var + eps)
    return xc * rstd * scale + bias, mean, var, rstd


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normalize(x, scale, bias, eps):
    y, mean, var, _ = _fwd_impl(x, scale, bias, eps)
    return y, mean, var


def _normalize_fwd(x, scale, bias, eps):
    y, mean, var, rstd = _fwd_impl(x, scale, bias, eps)
    return (y, mean, var), (x, mean, rstd, scale)


def _normalize_bwd(eps, res, cts):
    dy, _, _ = cts
    x, mean, rstd, scale = res
    n = x.shape[0]
    xhat = (x - mean) * rstd
    dbias = dy.sum(axis=0)
    dscale = (dy * xhat).sum(axis=0)
    dx = scale * rstd / n * (dy - dbias - xhat * dscale)
    return dx, dscale, dbias


_normalize.defvjp(_normalize_fwd, _normalize_bwd)


class SyncFreeBatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        *,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        param_dtype=jnp.float32,
        rngs: nnx.Rngs,
    ):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,), param_dtype))
        self.bias = nnx.Param(jnp.zeros((num_features,), param_dtype))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _ema(self, stat: nnx.BatchStat, value: Array) -> None:
        stat.value = self.momentum * stat.value + (1.0 - self.momentum) * value

    def __call__(self, x: Array, use_running_average: bool = False) -> Array:
        if use_running_average:
            rstd = lax.rsqrt(self.var.value + 1e-5)
            return (x - self.mean.value) * rstd * self.scale.value + self.bias.value
        y, mean, var = _normalize(x, self.scale.value, self.bias.value, self.epsilon)
        self._ema(self.mean, mean)
        self._ema(self.var, var)
        return y
