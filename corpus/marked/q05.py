import jax
import jax.numpy as jnp
from flax import nnx


class BN(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.Variable(jnp.zeros((num_features,)))
        self.running_var = nnx.Variable(jnp.ones((num_features,)))

    def __call__(self, x, training: bool):
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0)
        m = self.momentum

        if not training:
            mean = self.running_mean[...]
            var = self.running_var[...]

        out = (x - mean) / jnp.sqrt(var + self.eps)
        out = out * self.gamma[...] + self.beta[...]

        batch_mean = jax.lax.stop_gradient(jnp.mean(x, axis=0))
        batch_var = jax.lax.stop_gradient(jnp.var(x, axis=0))
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * batch_mean
        self.running_var[...] = m * self.running_var[...] + (1 - m) * batch_var
        return out
