"""Keras-like: ``axis`` says where the features are, in inputs of any rank."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    def __init__(self, features, axis=-1, momentum=0.99, epsilon=1e-3, *, rngs=None):
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(features))
        self.beta = nnx.Param(jnp.zeros(features))
        self.moving_mean = nnx.BatchStat(jnp.zeros(features))
        self.moving_variance = nnx.BatchStat(jnp.ones(features))

    def __call__(self, inputs, training=False):
        axis = self.axis % inputs.ndim
        reduction = [a for a in range(inputs.ndim) if a != axis]
        shape = [inputs.shape[axis] if a == axis else 1 for a in range(inputs.ndim)]
        if training:
            mean = jnp.mean(inputs, axis=tuple(reduction))
            var = jnp.var(inputs, axis=tuple(reduction))
            keep = self.momentum
            self.moving_mean[...] = jax.lax.stop_gradient(keep * self.moving_mean[...] + (1 - keep) * mean)
            self.moving_variance[...] = jax.lax.stop_gradient(keep * self.moving_variance[...] + (1 - keep) * var)
        else:
            mean, var = self.moving_mean[...], self.moving_variance[...]
        mean, var = mean.reshape(shape), var.reshape(shape)
        gamma, beta = self.gamma[...].reshape(shape), self.beta[...].reshape(shape)
        return gamma * (inputs - mean) / jnp.sqrt(var + self.epsilon) + beta
