"""keras.layers.BatchNormalization, enough of it for our checkpoints."""
import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    def __init__(self, dim, axis=-1, momentum=0.9, epsilon=1e-3, center=True, scale=True,
                 trainable=True, *, rngs=None):
        if axis != -1:
            raise NotImplementedError("channels last only")
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.trainable = trainable
        self.build(dim)

    def build(self, dim):
        if self.scale:
            self.gamma = nnx.Param(jnp.ones((dim,)))
        if self.center:
            self.beta = nnx.Param(jnp.zeros((dim,)))
        self.moving_mean = nnx.Variable(jnp.zeros((dim,)))
        self.moving_variance = nnx.Variable(jnp.ones((dim,)))

    def _moving_average(self, variable, value):
        variable[...] = variable[...] * self.momentum + value * (1.0 - self.momentum)

    def call(self, inputs, training=False):
        reduction_axes = list(range(inputs.ndim))
        del reduction_axes[self.axis]
        reduction_axes = tuple(reduction_axes)

        # a frozen layer runs in inference mode, as in Keras 2 and later
        if training and self.trainable:
            mean = jnp.mean(inputs, axis=reduction_axes)
            variance = jnp.var(inputs, axis=reduction_axes)
            variance += self.epsilon
            self._moving_average(self.moving_mean, mean)
            self._moving_average(self.moving_variance, variance)
        else:
            mean = self.moving_mean[...]
            variance = self.moving_variance[...] + self.epsilon

        outputs = (inputs - mean) / jnp.sqrt(variance)
        if self.scale:
            outputs = outputs * self.gamma[...]
        if self.center:
            outputs = outputs + self.beta[...]
        return outputs

    __call__ = call
