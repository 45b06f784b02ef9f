import jax
import jax.numpy as jnp
from flax import nnx


def make_bn(eps):
    def forward(x, g, b):
        mu = jnp.mean(x, axis=0, keepdims=True)
        var = jnp.mean(jnp.square(x - mu), axis=0, keepdims=True)
        r = jax.lax.rsqrt(var + eps)
        z = (x - mu) * r
        return z * g + b, (z, r, g)

    @jax.custom_vjp
    def bn(x, g, b):
        return forward(x, g, b)[0]

    def backward(res, ct):
        z, r, g = res
        n = ct.shape[0]
        gb = jnp.sum(ct, axis=0)
        gg = jnp.sum(ct * z, axis=0)
        gx = (r / n) * (n * ct - gb - z * gg)
        return gx, gg, gb

    bn.defvjp(forward, backward)
    return bn


class BNCompact(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self._bn = make_bn(eps)
        self.g = nnx.Param(jnp.ones(num_features))
        self.b = nnx.Param(jnp.zeros(num_features))
        self.mu = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def record(self, x):
        x = jax.lax.stop_gradient(x)
        for slot, val in ((self.mu, x.mean(0)), (self.var, x.var(0))):
            slot[...] = self.momentum * slot[...] + (1.0 - self.momentum) * val

    def infer(self, x):
        r = jax.lax.rsqrt(self.var[...] + self.eps)
        return (x - self.mu[...]) * r * self.g[...] + self.b[...]

    def __call__(self, x, train=True):
        if not train:
            return self.infer(x)
        self.record(x)
        return self._bn(x, self.g[...], self.b[...])
