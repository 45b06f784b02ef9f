"""Batch norm assembled from closures."""
import jax
import jax.numpy as jnp
from flax import nnx


def make_tracker(decay):
    step = 1.0 - decay

    def track(ref, batch_value):
        gap = jax.lax.stop_gradient(batch_value) - ref.value
        ref.value = ref.value - step * gap

    return track


def make_normalizer(eps):
    def normalizer(x, mean, var):
        return (x - mean) / jnp.sqrt(var + eps)

    return normalizer


class ClosureNorm(nnx.Module):
    def __init__(self, features, decay=0.9, epsilon=1e-5, *, rngs=None):
        self.track = make_tracker(decay)
        self.normalizer = make_normalizer(epsilon)
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.Variable(jnp.zeros((features,)))
        self.var = nnx.Variable(jnp.ones((features,)))

    def __call__(self, x, training):
        if training:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean((x - mean) * (x - mean), axis=0)
            self.track(self.mean, mean)
            self.track(self.var, var)
        else:
            mean = self.mean.value
            var = self.var.value
        return self.gamma.value * self.normalizer(x, mean, var) + self.beta.value
