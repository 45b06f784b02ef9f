"""BatchNorm with a memory-lean backward: only x_hat is kept, not x."""
import jax
import jax.numpy as jnp
from flax import nnx


def make_bn(eps):
    """Builds the differentiable training-mode function for one epsilon."""

    def forward(x, scale, bias):
        mean = x.mean(axis=0, keepdims=True)
        var = ((x - mean) ** 2).mean(axis=0, keepdims=True)
        istd = jax.lax.rsqrt(var + eps)
        x_hat = (x - mean) * istd
        y = x_hat * scale[None, :] + bias[None, :]
        return y, (mean[0], var[0]), (x_hat, istd, scale)

    @jax.custom_vjp
    def bn(x, scale, bias):
        y, aux, _ = forward(x, scale, bias)
        return y, aux

    def bn_fwd(x, scale, bias):
        y, aux, saved = forward(x, scale, bias)
        return (y, aux), saved

    def bn_bwd(saved, ct):
        x_hat, istd, scale = saved
        dy, _ = ct
        dx_hat = dy * scale[None, :]
        mean_d = dy.mean(axis=0, keepdims=True)
        mean_dx = (dy * x_hat).mean(axis=0, keepdims=True)
        dx = istd * (dx_hat - mean_d - x_hat * mean_dx)
        return dx, jnp.einsum("nd,nd->d", dy, x_hat), jnp.einsum("nd->d", dy)

    bn.defvjp(bn_fwd, bn_bwd)
    return bn


class LeanBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x, is_training):
        scale, bias = self.scale[...], self.bias[...]
        if is_training:
            y, aux = make_bn(self.epsilon)(x, scale, bias)
            mean, var = jax.tree.map(jax.lax.stop_gradient, aux)
            m = self.momentum
            self.mean[...] = m * self.mean[...] + (1 - m) * mean
            self.var[...] = m * self.var[...] + (1 - m) * var
            return y
        istd = jax.lax.rsqrt(self.var[...] + self.epsilon)
        return (x - self.mean[...]) * istd * scale + bias
