"""1-D batch normalisation, ported from torch.nn.BatchNorm1d to flax NNX."""
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    """Drop-in for the torch layer, attribute names kept for checkpoint import.

    Note that, unlike torch, ``momentum`` is the weight of the *old* running
    value, so torch's 0.1 becomes 0.9 here.

    Args:
        num_features: size of the last axis of the input.
        eps: added to the variance before the square root.
        momentum: decay of the running estimates.
    """

    def __init__(self, num_features, eps=1e-5, momentum=0.9, *, rngs=None):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x, training=True):
        if training:
            n = x.shape[0]
            mean = x.mean(axis=0)
            var = x.var(axis=0)

            keep = self.momentum
            self.running_mean.value = (
                keep * self.running_mean.value + (1.0 - keep) * mean
            )
            self.running_var.value = (
                keep * self.running_var.value
                + (1.0 - keep) * var * n / max(n - 1, 1)
            )
        else:
            mean = self.running_mean.value
            var = self.running_var.value

        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.weight.value * x_hat + self.bias.value

    def extra_repr(self):
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"
