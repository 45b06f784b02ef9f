"""eqx.nn.BatchNorm-like layer; state lives in the module instead of being threaded."""
import jax
import jax.numpy as jnp
from flax import nnx


def _moments(x):
    n = x.shape[0]
    mean = jnp.einsum("nd->d", x) / n
    xc = x - mean
    var = jnp.einsum("nd,nd->d", xc, xc) / n
    return mean, var


class BatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.input_size = num_features
        self.momentum = momentum
        self.eps = eps
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.state_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.state_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _next_state(self, batch_mean, batch_var):
        decay = self.momentum
        return (
            decay * self.state_mean.value + (1 - decay) * batch_mean,
            decay * self.state_var.value + (1 - decay) * batch_var,
        )

    def _apply(self, x, mean, var):
        normed = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return self.weight.value * (normed + self.bias.value)

    def __call__(self, x, training=True):
        if training:
            mean, var = _moments(x)
            self.state_mean.value, self.state_var.value = self._next_state(mean, var)
        else:
            mean, var = self.state_mean.value, self.state_var.value
        return self._apply(x, mean, var)
