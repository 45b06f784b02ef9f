"""BatchNorm1d ported from torch.nn.modules.batchnorm to Flax NNX.

The attribute names follow PyTorch (weight, bias, running_mean, running_var), so
that checkpoints can be copied over one array at a time.  `momentum` follows the
JAX habit instead: it is the share of the old running value that is kept.
"""
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    """Batch normalisation over a (N, C) input; switch with .train() / .eval()."""

    def __init__(self, num_features, eps=1e-5, momentum=0.9, *, rngs=None):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.use_running_average = False
        self.weight = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _track(self, mean, var, count):
        """Moves the buffers a step towards the statistics of this batch."""
        keep = self.momentum
        var = var * (count / max(count - 1, 1))
        self.running_mean[...] = keep * self.running_mean[...] + (1.0 - keep) * mean
        self.running_var[...] = keep * self.running_var[...] + (1.0 - keep) * var

    def __call__(self, x):
        if self.use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean = x.mean(axis=0)
            var = ((x - mean) ** 2).mean(axis=0)
            self._track(mean, var, x.shape[0])
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return x_hat * self.weight[...] + self.bias[...]

    def extra_repr(self):
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"
