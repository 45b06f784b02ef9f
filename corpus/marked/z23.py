"""BatchNorm with explicit forward/backward, following the lecture derivation."""
import jax
import jax.numpy as jnp
from flax import nnx


def make_batch_norm(eps):
    """Training-mode batch norm for a fixed eps, differentiated by hand."""

    @jax.custom_vjp
    def bn(x, scale, bias):
        return forward(x, scale, bias)[0]

    def forward(x, scale, bias):
        mu = jnp.mean(x, axis=0)
        std = jnp.sqrt(jnp.mean((x - mu) ** 2, axis=0) + eps)
        x_hat = (x - mu) / std
        return scale * x_hat + bias, (x_hat, std, scale)

    def backward(cache, dout):
        x_hat, std, scale = cache
        dbias = dout.sum(axis=0)
        dscale = (dout * x_hat).sum(axis=0)

        g = dout * scale
        g_mean = jnp.mean(g, axis=0)
        g_proj = jnp.mean(dout * x_hat, axis=0)
        dx = (g - g_mean - x_hat * g_proj) / std
        return dx, dscale, dbias

    bn.defvjp(forward, backward)
    return bn


class LectureBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training: bool):
        scale, bias = self.scale[...], self.bias[...]
        if training:
            self._remember(jnp.mean(x, axis=0), jnp.var(x, axis=0))
            return make_batch_norm(self.epsilon)(x, scale, bias)
        std = jnp.sqrt(self.running_var[...] + self.epsilon)
        return scale * (x - self.running_mean[...]) / std + bias

    def _remember(self, mean, var):
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var
