"""keras.layers.BatchNormalization, translated to flax NNX.

The normalisation is applied in folded form, ``x * inv + res``, exactly one
multiply-add per element.
"""
import jax.numpy as jnp
from flax import nnx

KERAS_MOMENTUM = 0.99
KERAS_EPSILON = 1e-3


class BatchNormalization(nnx.Module):
    """Layer that normalizes its inputs.

    During training the layer uses the mean and standard deviation of the
    current batch; during inference a moving average of the statistics it has
    seen during training.

    Args:
        units: Size of the feature axis.
        momentum: Momentum for the moving average.
        epsilon: Small float added to variance to avoid dividing by zero.
        center: If True, add offset of `beta`.
        scale: If True, multiply by `gamma`.
    """

    def __init__(self, units, momentum=KERAS_MOMENTUM, epsilon=KERAS_EPSILON,
                 center=True, scale=True, rngs=None):
        self.momentum = float(momentum)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.gamma = nnx.Param(jnp.ones((units,)))
        self.beta = nnx.Param(jnp.zeros((units,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((units,)))
        self.moving_variance = nnx.BatchStat(jnp.ones((units,)))

    def __call__(self, inputs, training=False):
        if training:
            mean = jnp.mean(inputs, axis=0)
            variance = jnp.var(inputs, axis=0)
            self.moving_mean[...] = self.moving_mean[...] * self.momentum + mean * (
                1.0 - self.momentum
            )
            self.moving_variance[...] = self.moving_variance[
                ...
            ] * self.momentum + variance * (1.0 - self.momentum)
        else:
            mean = self.moving_mean[...]
            variance = self.moving_variance[...]

        inv = 1.0 / (jnp.sqrt(variance) + self.epsilon)
        if self.scale:
            inv = inv * self.gamma[...]
        res = -mean * inv
        if self.center:
            res = res + self.beta[...]
        return inputs * inv + res
