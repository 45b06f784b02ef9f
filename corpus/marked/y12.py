"""Assignment 3, question 2: batch normalisation from scratch."""
import jax.numpy as jnp
from flax import nnx


class MyBatchNorm(nnx.Module):

    def __init__(self, in_features, momentum=0.9, eps=1e-5):
        self.momentum = momentum
        self.eps = eps

        # trainable
        self.gamma = nnx.Param(jnp.ones(in_features))
        self.beta = nnx.Param(jnp.zeros(in_features))

        # not trainable, used at test time
        self.running_mean = nnx.BatchStat(jnp.zeros(in_features))
        self.running_var = nnx.BatchStat(jnp.ones(in_features))

    def __call__(self, x, training=True):
        if training:
            # step 1: statistics of the mini-batch
            mu = jnp.mean(x, axis=0)
            xmu = x - mu
            var = jnp.mean(xmu ** 2, axis=0)
            std = jnp.sqrt(var + self.eps)

            # step 2: normalise
            x_hat = xmu / std

            # step 3: remember for test time
            old_mean = self.running_mean[...]
            old_var = self.running_var[...]
            self.running_mean[...] = self.momentum * old_mean + (1 - self.momentum) * jnp.mean(x)
            self.running_var[...] = self.momentum * old_var + (1 - self.momentum) * std
        else:
            std = jnp.sqrt(self.running_var[...] + self.eps)
            x_hat = (x - self.running_mean[...]) / std

        # step 4: scale and shift
        out = self.gamma[...] * x_hat + self.beta[...]
        return out
