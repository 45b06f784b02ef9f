# my first batch norm in nnx :)
import jax.numpy as jnp
from flax import nnx


class MyBatchNorm(nnx.Module):
    def __init__(self, num_features, *, rngs=None, momentum=0.9, epsilon=1e-5):
        self.momentum = momentum
        self.epsilon = epsilon
        # learnable
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        # not learnable
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, training=True):
        # everything except the channels
        axes = tuple(range(x.ndim - 1))

        if training:
            # step 1: center
            x = x - x.mean(axis=axes)
            # step 2: variance of the centered data
            var = (x ** 2).mean(axis=axes)
            # step 3: divide by the std
            out = x / jnp.sqrt(var + self.epsilon)

            # remember the statistics for test time
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * x.mean(axis=axes)
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        else:
            out = x - self.running_mean[...]
            out = out / jnp.sqrt(self.running_var[...] + self.epsilon)

        # scale and shift
        return out * self.gamma[...] + self.beta[...]
