"""Batch norm with a small table of statistic trackers.

Adding another tracked quantity (say, the batch maximum) only takes a new
entry in ``TRACKED``; normalisation uses the mean and the variance.
"""
import jax
import jax.numpy as jnp
from flax import nnx

TRACKED = {
    "mean": (lambda x: jnp.mean(x, axis=0), 0.0),
    "var": (lambda x: jnp.var(x, axis=0), 1.0),
}


class TableBatchNorm(nnx.Module):
    """Batch normalisation over the first axis of an (N, D) array."""

    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.stats = nnx.Dict({
            name: nnx.BatchStat(jnp.full(num_features, start))
            for name, (_, start) in TRACKED.items()
        })

    def _trackers(self):
        """One update callback per tracked statistic."""
        trackers = {}
        for name in TRACKED:
            def track(value):
                stat = self.stats[name]
                stat[...] = self.momentum * stat[...] + (1 - self.momentum) * value

            trackers[name] = track
        return trackers

    def _measure(self, x):
        return {name: fn(x) for name, (fn, _) in TRACKED.items()}

    def __call__(self, x, training=True):
        if training:
            measured = self._measure(x)
            trackers = self._trackers()
            for key, value in measured.items():
                trackers[key](jax.lax.stop_gradient(value))
        else:
            measured = {key: self.stats[key][...] for key in TRACKED}

        inv_std = jax.lax.rsqrt(measured["var"] + self.epsilon)
        x_hat = (x - measured["mean"]) * inv_std
        return x_hat * self.weight[...] + self.bias[...]
