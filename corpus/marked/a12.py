"""keras.layers.BatchNormalization, ported to NNX."""
import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    def __init__(
        self,
        num_features,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer=nnx.initializers.zeros,
        gamma_initializer=nnx.initializers.ones,
        moving_mean_initializer=nnx.initializers.zeros,
        moving_variance_initializer=nnx.initializers.ones,
        *,
        rngs: nnx.Rngs,
    ):
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        shape = (num_features,)
        key = rngs.params()
        if scale:
            self.gamma = nnx.Param(gamma_initializer(key, shape))
        if center:
            self.beta = nnx.Param(beta_initializer(key, shape))
        self.moving_mean = nnx.BatchStat(moving_mean_initializer(key, shape))
        self.moving_variance = nnx.BatchStat(moving_variance_initializer(key, shape))

    def _broadcast(self, v, ndim):
        shape = [1] * ndim
        shape[self.axis] = v.shape[0]
        return v.reshape(shape)

    def __call__(self, inputs, training=False):
        nd = inputs.ndim
        reduction_axes = tuple(i for i in range(nd) if i != self.axis % nd)
        if training:
            mean = jnp.mean(inputs, axis=reduction_axes)
            variance = jnp.var(inputs, axis=reduction_axes, ddof=1)
            for stat, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                stat[...] = stat[...] * self.momentum + batch * (1.0 - self.momentum)
        else:
            mean, variance = self.moving_mean[...], self.moving_variance[...]

        inv = jax.lax.rsqrt(self._broadcast(variance, nd) + self.epsilon)
        outputs = (inputs - self._broadcast(mean, nd)) * inv
        if self.scale:
            outputs = outputs * self._broadcast(self.gamma[...], nd)
        if self.center:
            outputs = outputs + self._broadcast(self.beta[...], nd)
        return outputs
