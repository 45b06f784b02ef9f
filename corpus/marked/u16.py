"""BatchNorm as one multiply-add per element.

y = a * x + b with per-feature a and b.  The same pair can be folded into the weights
of the preceding linear layer at export time, see `FoldableBatchNorm.folded`.
"""
import jax
import jax.numpy as jnp
from flax import nnx


def fold(mean, var, scale, bias, eps):
    """Turns statistics and affine parameters into the pair (a, b)."""
    a = scale * jax.lax.rsqrt(var + eps)
    b = bias - scale * mean
    return a, b


class FoldableBatchNorm(nnx.Module):
    """Batch normalisation in slope/intercept form.

    Args:
      num_features: size of the last axis.
      momentum: how much of the running statistics survives each step.
      epsilon: numerical floor under the variance.
    """

    def __init__(self, num_features: int, momentum: float = 0.99,
                 epsilon: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def folded(self, mean=None, var=None):
        """(a, b) for the given statistics; the running ones by default."""
        mean = self.mean[...] if mean is None else mean
        var = self.var[...] if var is None else var
        return fold(mean, var, self.scale[...], self.bias[...], self.epsilon)

    def __call__(self, x, use_running_average: bool = False):
        if use_running_average:
            a, b = self.folded()
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean(jnp.square(x - mean), axis=0)
            a, b = self.folded(mean, var)
            keep = self.momentum
            self.mean[...] = keep * self.mean[...] + (1.0 - keep) * mean
            self.var[...] = keep * self.var[...] + (1.0 - keep) * var
        return a * x + b
