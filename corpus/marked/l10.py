import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        shape = (1, num_features)
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(shape[1:]))
        self.beta = nnx.Param(jnp.zeros(shape[1:]))
        self.running_mean = nnx.BatchStat(jnp.zeros(shape[1:]))
        self.running_var = nnx.BatchStat(jnp.ones(shape[1:]))

    def update_running(self, mean, var):
        rate = 1.0 - self.momentum
        rm, rv = self.running_mean.value, self.running_var.value
        self.running_mean.value = rm + rate * (rm - mean)
        self.running_var.value = rv - rate * (rv - var)

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean = self.running_mean.value
            var = self.running_var.value
        else:
            mean = jnp.mean(x, axis=0, keepdims=True)
            var = jnp.var(x, axis=0, keepdims=True)
            self.update_running(mean.squeeze(0), var.squeeze(0))
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma.value * x_hat + self.beta.value
