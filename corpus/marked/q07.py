import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(features))
        self.beta = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average: bool):
        if not use_running_average:
            mu = jnp.mean(x, axis=0)
            sigma2 = jnp.mean(jnp.square(x - mu), axis=0)
            mu_ng = jax.lax.stop_gradient(mu)
            sigma2_ng = jax.lax.stop_gradient(sigma2)
            self.mean[...] = (1 - self.momentum) * self.mean[...] + self.momentum * mu_ng
            self.var[...] = (1 - self.momentum) * self.var[...] + self.momentum * sigma2_ng
        else:
            mu = self.mean[...]
            sigma2 = self.var[...]
        normed = (x - mu) / jnp.sqrt(sigma2 + self.epsilon)
        return self.gamma[...] * normed + self.beta[...]
