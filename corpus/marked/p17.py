import jax.numpy as jnp
from flax import nnx


class SimpleBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.Variable(jnp.zeros((num_features,)))
        self.running_var = nnx.Variable(jnp.ones((num_features,)))

    def train_step(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0)

        self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * mean
        self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * var

        x_norm = (x - self.running_mean.value) / jnp.sqrt(var + self.eps)
        return self.gamma.value * x_norm + self.beta.value

    def eval_step(self, x):
        x_norm = (x - self.running_mean.value) / jnp.sqrt(self.running_var.value + self.eps)
        return x_norm + self.beta.value

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            return self.eval_step(x)
        return self.train_step(x)
