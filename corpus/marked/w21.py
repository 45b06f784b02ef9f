"""Batch norm with dict-shaped statistics.

All statistics, running or of the current batch, are dicts with the keys
"mean" and "var"; averaging is a tree.map, so a mixed-in extra statistic needs
no further code.
"""
import jax
import jax.numpy as jnp
from flax import nnx


def batch_statistics(x):
    mean = x.mean(axis=0)
    return {"mean": mean, "var": ((x - mean) ** 2).mean(axis=0)}


def normalise(x, stats, eps):
    return (x - stats["mean"]) / jnp.sqrt(stats["var"] + eps)


class DictBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.params = nnx.Dict(
            gamma=nnx.Param(jnp.ones(num_features)),
            beta=nnx.Param(jnp.zeros(num_features)),
        )
        self.running = nnx.Dict(
            mean=nnx.BatchStat(jnp.zeros(num_features)),
            var=nnx.BatchStat(jnp.ones(num_features)),
        )

    def _load(self):
        return {key: self.running[key][...] for key in ("mean", "var")}

    def _store(self, stats):
        for key, value in stats.items():
            self.running[key][...] = value

    def __call__(self, x, training=True):
        stats = self._load()
        if training:
            batch = batch_statistics(x)
            stats = jax.tree.map(
                lambda old, new: self.momentum * old + (1 - self.momentum) * new,
                stats,
                batch,
            )
            self._store(stats)
        x_hat = normalise(x, stats, self.epsilon)
        return self.params["gamma"][...] * x_hat + self.params["beta"][...]
