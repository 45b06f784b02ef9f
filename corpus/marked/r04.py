import jax
import jax.numpy as jnp
from flax import nnx


def batch_moments(x):
    mean = jnp.mean(x, axis=0)
    return {"mean": mean, "var": jnp.mean((x - mean) ** 2, axis=0)}


class BatchNormalization(nnx.Module):
    """Keras-flavoured batch normalization for dense activations."""

    def __init__(self, units, *, momentum=0.99, epsilon=1e-3, rngs=None):
        self.units = units
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((units,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((units,), jnp.float32))
        self.moving_mean = nnx.BatchStat(jnp.zeros((units,), jnp.float32))
        self.moving_variance = nnx.BatchStat(jnp.ones((units,), jnp.float32))

    @property
    def moving(self):
        return {"mean": self.moving_mean[...], "var": self.moving_variance[...]}

    def _track(self, batch):
        decay = self.momentum
        updated = jax.tree.map(
            lambda old, new: decay * old + (1.0 - decay) * new,
            self.moving,
            jax.lax.stop_gradient(batch),
        )
        self.moving_mean[...] = updated["mean"]

    def __call__(self, x, training=True):
        if training:
            stats = batch_moments(x)
            self._track(stats)
        else:
            stats = self.moving
        inv_std = 1.0 / jnp.sqrt(stats["var"] + self.epsilon)
        return self.gamma[...] * (x - stats["mean"]) * inv_std + self.beta[...]
