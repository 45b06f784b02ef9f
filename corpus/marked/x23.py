"""my first flax nnx layers: batchnorm (see notes week 5)"""
import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormLayer(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, rngs=None):
        self.d = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((1, num_features)))
        self.beta = nnx.Param(jnp.zeros((1, num_features)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((1, num_features)))
        self.moving_var = nnx.BatchStat(jnp.ones((1, num_features)))

    def batch_mean(self, x):
        return jnp.sum(x, axis=0, keepdims=True) / x.shape[0]

    def batch_var(self, x, mu):
        return jnp.sum((x - mu) ** 2, axis=0, keepdims=True) / x.shape[0]

    def __call__(self, x, train):
        assert x.ndim == 2 and x.shape[1] == self.d

        mu = self.moving_mean[...]
        sigma2 = self.moving_var[...]

        if train:
            # mini batch statistics
            b_mu = self.batch_mean(x)
            b_sigma2 = self.batch_var(x, b_mu)
            # new moving average = momentum * old + (1 - momentum) * batch
            mu = self.momentum * mu + (1 - self.momentum) * b_mu
            sigma2 = self.momentum * sigma2 + (1 - self.momentum) * b_sigma2
            # save for test time
            self.moving_mean[...] = jax.lax.stop_gradient(mu)
            self.moving_var[...] = jax.lax.stop_gradient(sigma2)

        # normalize, scale and shift
        x_norm = (x - mu) / jnp.sqrt(sigma2 + self.epsilon)
        return self.gamma[...] * x_norm + self.beta[...]
