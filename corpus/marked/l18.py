from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def whiten(x, eps):
    xc = x - jnp.mean(x, axis=0)
    return xc * jax.lax.rsqrt(jnp.mean(xc * xc, axis=0) + eps)


@whiten.defjvp
def whiten_jvp(eps, primals, tangents):
    (x,), (dx,) = primals, tangents
    xc = x - jnp.mean(x, axis=0)
    r = jax.lax.rsqrt(jnp.mean(xc * xc, axis=0) + eps)
    dxc = dx - jnp.mean(dx, axis=0)
    dvar = jnp.mean(xc * dxc, axis=0)
    dr = -0.5 * r ** 3 * dvar
    return xc * r, dxc * r + xc * dr


class BatchNorm(nnx.Module):
    def __init__(self, features: int, momentum: float = 0.9, epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def _update(self, x):
        x = jax.lax.stop_gradient(x)
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * jnp.mean(x, axis=0)
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * jnp.var(x, axis=0)

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            z = (x - self.mean[...]) * jax.lax.rsqrt(self.var[...] + self.epsilon)
        else:
            z = whiten(x, self.epsilon)
            self._update(x)
        return z * self.scale[...] + self.bias[...]
