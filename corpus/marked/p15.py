import jax
import jax.numpy as jnp
from flax import nnx


def _make_bn(eps):
    @jax.custom_vjp
    def bn(x, w, b):
        return fwd(x, w, b)[0]

    def fwd(x, w, b):
        mu = x.mean(0)
        r = jax.lax.rsqrt(((x - mu) ** 2).mean(0) + eps)
        z = (x - mu) * r
        return z * w + b, (z, r, w)

    def bwd(saved, dy):
        z, r, w = saved
        dw = (dy * z).sum(0)
        db = dy.sum(0)
        dz = dy
        dx = (dz - dz.mean(0) - z * (dz * z).mean(0)) * r
        return dx, dw, db

    bn.defvjp(fwd, bwd)
    return bn


class CustomGradBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(features))
        self.beta = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average=False):
        w, b = self.gamma[...], self.beta[...]
        if use_running_average:
            return w * (x - self.mean[...]) / jnp.sqrt(self.var[...] + self.eps) + b
        keep, mix = self.momentum, 1 - self.momentum
        self.mean[...] = keep * self.mean[...] + mix * jnp.mean(x, axis=0)
        self.var[...] = keep * self.var[...] + jnp.var(x, axis=0)
        return _make_bn(self.eps)(x, w, b)
