"""Batch norm that can be told not to collect statistics."""
import jax
import jax.numpy as jnp
from flax import nnx


class TrackingBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, track=True, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.track = track
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running = nnx.BatchStat(
            jnp.stack([jnp.zeros((num_features,)), jnp.ones((num_features,))])
        )

    def _batch(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        return jnp.stack([mean, var])

    def _collect(self, batch):
        batch = jax.lax.stop_gradient(batch)
        self.running[...] = self.momentum * self.running[...] + (1 - self.momentum) * batch

    def __call__(self, x, use_running_average: bool):
        batch = self._batch(x)
        if self.track or not use_running_average:
            self._collect(batch)
        mean, var = self.running[...] if use_running_average else batch
        x_hat = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return self.gamma[...] * x_hat + self.beta[...]
