import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps

        # learnable parameters
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))

        # running statistics
        self.running_mean = nnx.Variable(jnp.zeros((num_features,)))
        self.running_var = nnx.Variable(jnp.ones((num_features,)))

    def __call__(self, x, training: bool):
        running_mean = self.running_mean[...]
        running_var = self.running_var[...]

        if training:
            mean = x.sum(axis=0) / x.shape[0]
            var = ((x - running_mean) ** 2).sum(axis=0) / x.shape[0]
            self.running_mean[...] = self.momentum * running_mean + (1 - self.momentum) * jax.lax.stop_gradient(mean)
            self.running_var[...] = self.momentum * running_var + (1 - self.momentum) * jax.lax.stop_gradient(var)
            x = (x - mean) / jnp.sqrt(var + self.eps)
        else:
            x = (x - running_mean) / jnp.sqrt(running_var + self.eps)

        return self.gamma[...] * x + self.beta[...]
