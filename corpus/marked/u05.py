# Reference implementation used to check our GPU kernels against.
#
# Layout of the tensors:   x, y, dy : [rows, cols]     scale, bias, stats : [cols]
# The backward formula is the one from the kernel's design note:
#     dx = scale * rstd / count * (count * dy - dbias - xhat * dscale)
import jax
import jax.numpy as jnp
from flax import nnx


def make_bn_kernel(eps):
    """Builds the differentiable training kernel for a fixed epsilon."""

    @jax.custom_vjp
    def kernel(x, scale, bias):
        return launch_forward(x, scale, bias)[0]

    def launch_forward(x, scale, bias):
        count = x.shape[0]
        mean = jnp.sum(x, axis=0) / count
        var = jnp.sum((x - mean) ** 2, axis=0) / count
        rstd = 1.0 / jnp.sqrt(var + eps)
        y = (x - mean) * (rstd * scale) + bias
        return y, (x, scale, mean, rstd)

    def launch_backward(saved, dy):
        x, scale, mean, rstd = saved
        count = dy.shape[-1]
        xhat = (x - mean) * rstd
        dbias = dy.sum(axis=0)
        dscale = (dy * xhat).sum(axis=0)
        dx = scale * rstd / count * (count * dy - dbias - xhat * dscale)
        return dx, dscale, dbias

    kernel.defvjp(launch_forward, launch_backward)
    return kernel


class KernelBatchNorm(nnx.Module):
    """nnx front end; `use_running_average=True` selects the inference formula."""

    def __init__(self, num_features, *, momentum=0.99, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x, use_running_average=False):
        scale, bias = self.scale[...], self.bias[...]
        if use_running_average:
            rstd = 1.0 / jnp.sqrt(self.var[...] + self.epsilon)
            return (x - self.mean[...]) * (rstd * scale) + bias
        x_const = jax.lax.stop_gradient(x)
        mean = x_const.mean(axis=0)
        var = ((x_const - mean) ** 2).mean(axis=0)
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return make_bn_kernel(self.epsilon)(x, scale, bias)
