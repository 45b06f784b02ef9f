"""nnx.BatchNorm with a few extras for the training dashboard.

``TrackedBatchNorm`` counts the batches it has seen and remembers how far the
last batch was from the running mean, so that covariate shift between data
shards can be plotted.
"""
import jax
import jax.numpy as jnp
from flax import nnx


class Diagnostic(nnx.Variable):
    """Values that are logged, never trained or used in the forward pass."""


class TrackedBatchNorm(nnx.BatchNorm):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        super().__init__(
            num_features,
            momentum=momentum,
            epsilon=epsilon,
            use_fast_variance=False,
            rngs=rngs if rngs is not None else nnx.Rngs(0),
        )
        self.batches_seen = Diagnostic(jnp.zeros((), jnp.int32))
        self.drift = Diagnostic(jnp.zeros(()))

    def _record(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0)
        self.drift[...] = jnp.linalg.norm(mean - self.mean[...])
        self.batches_seen[...] += 1
        m = self.momentum
        self.mean[...] = m * self.mean[...] + (1 - m) * mean
        self.var[...] = m * self.var[...] + (1 - m) * var

    def __call__(self, x, use_running_average=None, *, mask=None):
        if use_running_average is None:
            use_running_average = self.use_running_average
        if not use_running_average:
            self._record(jax.lax.stop_gradient(x))
        return super().__call__(
            x, use_running_average=use_running_average, mask=mask)
