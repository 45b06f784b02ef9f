from flax import nnx
import jax, jax.numpy as jnp


class BNorm(nnx.Module):
    def __init__(self, features, momentum=.9, eps=1e-5, *, rngs):
        self.m, self.eps = momentum, eps
        self.scale, self.bias = nnx.Param(jnp.ones(features)), nnx.Param(jnp.zeros(features))
        self.mean, self.var = nnx.BatchStat(jnp.zeros(features)), nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average=False):
        mu, v = (self.mean[...], self.var[...]) if use_running_average else (x.mean(0), x.var(0))
        if not use_running_average:
            self.mean[...] = self.m * self.mean[...] + (1 - self.m) * mu
            self.var[...] = self.m * self.var[...] + self.m * v
        a = self.scale[...] * jax.lax.rsqrt(v + self.eps)
        b = self.bias[...] - mu * self.scale[...]
        return a * x + b
