"""keras.layers.BatchNormalization, ported to NNX."""
import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    """`data_format` is 'channels_last' (default) or 'channels_first'."""

    def __init__(self, num_features, momentum=0.99, epsilon=1e-3, center=True, scale=True,
                 data_format="channels_last", *, rngs=None):
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"bad data_format {data_format!r}")
        self.num_features = num_features
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.data_format = data_format
        if scale:
            self.gamma = nnx.Param(jnp.ones((num_features,)))
        if center:
            self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.moving_variance = nnx.BatchStat(jnp.ones((num_features,)))

    def _axis(self, inputs):
        return inputs.ndim - 1 if self.data_format == "channels_last" else 1

    def _expand(self, vector, inputs):
        shape = [1] * inputs.ndim
        shape[self._axis(inputs)] = self.num_features
        return jnp.reshape(vector, shape)

    def _assign_moving_average(self, variable, value):
        variable[...] = variable[...] * self.momentum + value * (1.0 - self.momentum)

    def _inverse_std(self, variance):
        # epsilon avoids the division by zero for constant channels
        return jax.lax.rsqrt(jnp.maximum(variance, self.epsilon))

    def __call__(self, inputs, training=False):
        if training:
            axes = tuple(i for i in range(inputs.ndim) if i != self._axis(inputs))
            mean = jnp.mean(inputs, axis=axes)
            variance = jnp.var(inputs, axis=axes)
            self._assign_moving_average(self.moving_mean, mean)
            self._assign_moving_average(self.moving_variance, variance)
        else:
            mean, variance = self.moving_mean[...], self.moving_variance[...]

        inv = self._inverse_std(variance)
        if self.scale:
            inv = inv * self.gamma[...]
        outputs = (inputs - self._expand(mean, inputs)) * self._expand(inv, inputs)
        if self.center:
            outputs = outputs + self._expand(self.beta[...], inputs)
        return outputs
