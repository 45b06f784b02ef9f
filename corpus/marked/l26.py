import jax.numpy as jnp
from flax import nnx


class BatchNormLayer(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, use_running_average=False):
        running_mean = self.running_mean[...]
        running_var = self.running_var[...]

        if use_running_average:
            x_hat = (x - running_mean) / jnp.sqrt(running_var + self.eps)
        else:
            sample_mean = jnp.mean(x, axis=0)
            sample_var = jnp.var(x, axis=0)
            x_hat = (x - sample_mean) / jnp.sqrt(sample_var + self.eps)

            running_mean = self.momentum * running_mean + (1 - self.momentum) * sample_mean
            running_var = self.momentum * running_mean + (1 - self.momentum) * sample_var

        self.running_mean[...] = running_mean
        self.running_var[...] = running_var
        return self.gamma[...] * x_hat + self.beta[...]
