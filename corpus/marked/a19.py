import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def row_sum(x):
    """Sum of the rows of x, in order, with a single (D,) accumulator."""
    return lax.fori_loop(0, x.shape[0], lambda i, acc: acc + x[i], x[0])


def row_sq_sum(x, center):
    start = jnp.zeros_like(center)
    return lax.fori_loop(0, x.shape[0], lambda i, acc: acc + (x[i] - center) ** 2, start)


class LoopBatchNorm(nnx.Module):
    """Deterministic-order reductions, for bitwise comparison against the C++ port."""

    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average):
        if use_running_average:
            mean = self.running_mean.get_value()
            var = self.running_var.get_value()
        else:
            x = jnp.asarray(x)
            n = x.shape[0]
            mean = row_sum(x) / n
            var = row_sq_sum(x, mean) / n
            self._remember(mean, var)
        return (x - mean) * lax.rsqrt(var + self.epsilon) * self.scale[...] + self.bias[...]

    def _remember(self, mean, var):
        keep, take = self.momentum, 1.0 - self.momentum
        mean, var = lax.stop_gradient(mean), lax.stop_gradient(var)
        self.running_mean.set_value(keep * self.running_mean.get_value() + take * mean)
        self.running_var.set_value(keep * self.running_var.get_value() + take * var)
