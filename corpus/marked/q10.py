import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm1D(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.Variable(jnp.zeros((num_features,)))
        self.running_var = nnx.Variable(jnp.ones((num_features,)))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, train: bool):
        if train:
            batch_mean = x.mean(axis=0)
            batch_var = x.var(axis=0, ddof=1)
            x_norm = (x - batch_mean) / jnp.sqrt(batch_var + self.eps)

            sg = jax.lax.stop_gradient
            self.running_mean.value = (
                self.momentum * self.running_mean.value + (1 - self.momentum) * sg(batch_mean)
            )
            self.running_var.value = (
                self.momentum * self.running_var.value + (1 - self.momentum) * sg(batch_var)
            )
        else:
            x_norm = (x - self.running_mean.value) / jnp.sqrt(self.running_var.value + self.eps)

        return self.gamma.value * x_norm + self.beta.value
