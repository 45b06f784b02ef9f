"""torch.nn.BatchNorm1d look-alike used while converting checkpoints to nnx."""
import jax.numpy as jnp
from flax import nnx


def var_mean(x, dim=0):
    """Same contract as torch.var_mean(x, dim, correction=0)."""
    mean = jnp.mean(x, axis=dim)
    var = jnp.mean((x - jnp.expand_dims(mean, dim)) ** 2, axis=dim)
    return var, mean


class BatchNorm1d(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def _lerp(self, buf, new):
        buf.value = self.momentum * buf.value + (1.0 - self.momentum) * new

    def __call__(self, input, training=True):
        if training:
            mean, var = var_mean(input, dim=0)
            self._lerp(self.running_mean, mean)
            self._lerp(self.running_var, var)
        else:
            mean, var = self.running_mean.value, self.running_var.value
        out = (input - mean) / jnp.sqrt(var + self.eps)
        return self.weight.value * out + self.bias.value
