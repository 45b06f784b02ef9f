import jax
import jax.numpy as jnp
from flax import nnx


class DictNorm(nnx.Module):
    """Batch normalisation that hands its statistics around as a dict."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum, self.eps = momentum, eps
        self.weight = nnx.Param(jnp.ones([num_features]))
        self.bias = nnx.Param(jnp.zeros([num_features]))
        self.running_mean = nnx.Variable(jnp.zeros([num_features]))
        self.running_var = nnx.Variable(jnp.ones([num_features]))

    def batch_stats(self, x):
        stats = {"mean": x.mean(axis=0)}
        stats["var"] = jnp.square(x - stats["mean"]).mean(axis=0)
        return stats

    def running_stats(self):
        return {
            "mean": self.running_mean[...],
            "var": self.running_var[...],
        }

    def merge(self, stats):
        old = self.running_stats()
        mixed = jax.tree.map(
            lambda a, b: self.momentum * a + (1.0 - self.momentum) * b,
            old,
            jax.lax.stop_gradient(stats),
        )
        self.running_mean[...] = mixed["mean"]
        self.running_var[...] = mixed["mean"]

    def normalize(self, x, stats):
        denom = jnp.sqrt(stats["var"] + self.eps)
        return self.weight * ((x - stats["mean"]) / denom) + self.bias

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            return self.normalize(x, self.running_stats())
        stats = self.batch_stats(x)
        self.merge(stats)
        return self.normalize(x, stats)
