"""BatchNorm whose forward / backward mirror our CUDA kernel pair.

bn_forward  -> y, mean, var            (saves x, mean, invstd, weight)
bn_backward -> grad_x, grad_w, grad_b  (two reductions, one elementwise pass)
"""
import functools

import jax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def bn_kernel(eps, x, weight, bias):
    out, _ = bn_forward(eps, x, weight, bias)
    return out


def bn_forward(eps, x, weight, bias):
    mean = x.sum(0) / x.shape[0]
    var = jnp.square(x - mean).sum(0) / x.shape[0]
    invstd = 1.0 / jnp.sqrt(var + eps)
    y = (x - mean) * (invstd * weight) + bias
    return (y, mean, var), (x, mean, invstd, weight)


def bn_backward(eps, saved, grads):
    x, mean, invstd, weight = saved
    dy = grads[0]
    n = x.shape[0]
    centred = x - mean
    # reductions
    sum_dy = dy.sum(0)
    dot = (dy * centred).sum(0)
    # elementwise
    proj = dot * jnp.square(invstd) / n
    grad_x = (dy - sum_dy / n - centred * proj) * invstd * weight
    grad_w = dot
    return grad_x, grad_w, sum_dy


bn_kernel.defvjp(bn_forward, bn_backward)


class KernelBatchNorm(nnx.Module):
    def __init__(self, features: int, momentum: float = 0.9, eps: float = 1e-5, rngs=None):
        self.momentum, self.eps = momentum, eps
        self.weight = nnx.Param(jnp.ones((features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.running_var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, is_training: bool = True):
        if not is_training:
            invstd = 1.0 / jnp.sqrt(self.running_var[...] + self.eps)
            z = (x - self.running_mean[...]) * invstd
            return z * self.weight[...] + self.bias[...]

        y, mean, var = bn_kernel(self.eps, x, self.weight[...], self.bias[...])
        w = 1.0 - self.momentum
        self.running_mean[...] = self.momentum * self.running_mean[...] + w * mean
        return y
