"""Port of a BatchNorm1d layer with optional tracking, state in an nnx.Dict."""
import jax.numpy as jnp
from flax import nnx


class PortedBatchNorm(nnx.Module):
    """Batch normalisation over (N, D).

    Args:
      num_features: D.
      eps: added to the variance.
      momentum: fraction of the old running value that is kept.
      track_running_stats: if False the layer always uses batch statistics
        and leaves its buffers alone.
    """

    def __init__(self, num_features, eps=1e-5, momentum=0.9,
                 track_running_stats=True, *, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self.track_running_stats = track_running_stats
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.buffers = nnx.Dict(
            running_mean=nnx.BatchStat(jnp.zeros((num_features,))),
            running_var=nnx.BatchStat(jnp.ones((num_features,))),
        )

    def __call__(self, x, training=True):
        batch = {"running_mean": x.mean(0), "running_var": x.var(0)}

        if training or not self.track_running_stats:
            mean, var = batch["running_mean"], batch["running_var"]
        else:
            mean = self.buffers["running_mean"][...]
            var = self.buffers["running_var"][...]

        if self.track_running_stats:
            for name, value in batch.items():
                old = self.buffers[name][...]
                self.buffers[name][...] = (
                    self.momentum * old + (1.0 - self.momentum) * value)

        normed = (x - mean) / jnp.sqrt(var + self.eps)
        return normed * self.weight[...] + self.bias[...]
