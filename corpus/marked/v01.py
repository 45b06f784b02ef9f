"""BatchNorm1d moved from our PyTorch code base to flax NNX."""

import jax.numpy as jnp
from flax import nnx


def _lerp(start, end, weight):
    # same as torch.lerp
    return start + weight * (end - start)


class BatchNorm1d(nnx.Module):
    """Keeps the attribute names of torch.nn.BatchNorm1d so that state dicts
    can be loaded key by key.

    momentum is the share of the old running value that is kept per step.
    """

    def __init__(self, num_features, eps=1e-5, momentum=0.9, *, rngs=None):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _update(self, mean, var):
        weight = self.momentum
        self.running_mean[...] = _lerp(self.running_mean[...], mean, weight)
        self.running_var[...] = _lerp(self.running_var[...], var, weight)

    def __call__(self, x, training=True):
        if training:
            mean = x.mean(axis=0)
            var = x.var(axis=0, ddof=1)
            self._update(mean, var)
        else:
            mean = self.running_mean[...]
            var = self.running_var[...]
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return x_hat * self.weight[...] + self.bias[...]
