"""keras.layers.BatchNormalization, carried over to flax nnx."""
import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.moving_variance = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, inputs, training=True):
        if training:
            mean = jnp.mean(inputs, axis=0)
            variance = jnp.mean(jnp.square(inputs - mean), axis=0)
            self.moving_mean.value = (
                self.moving_mean.value * self.momentum + mean * (1 - self.momentum)
            )
            self.moving_variance.value = (
                self.moving_variance.value * self.momentum
                + variance * (1 - self.momentum)
            )
        else:
            mean = self.moving_mean.value
            variance = self.moving_variance.value

        outputs = (inputs - mean) / (jnp.sqrt(variance) + self.epsilon)
        return outputs * self.gamma.value + self.beta.value
