import jax
import jax.numpy as jnp
from flax import nnx


class RunningValue(nnx.Variable):
    pass


def averaged(name):
    """A property that reads a variable and, on assignment, averages into it."""

    def read(self):
        return getattr(self, name)[...]

    def write(self, fresh):
        slot = getattr(self, name)
        fresh = jax.lax.stop_gradient(fresh)
        slot[...] = self.momentum * slot[...] + (1.0 - self.momentum) * fresh

    return property(read, write)


class PropertyBatchNorm(nnx.Module):
    mean = averaged("ra_mean")
    var = averaged("ra_var")

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.ra_mean = RunningValue(jnp.zeros((num_features,)))
        self.ra_var = RunningValue(jnp.ones((num_features,)))

    def _affine(self, x, center, spread):
        return (x - center) / jnp.sqrt(spread + self.eps) * self.scale[...] + self.bias[...]

    def __call__(self, x, deterministic=False):
        if deterministic:
            return self._affine(x, self.mean, self.var)
        center = jnp.mean(x, axis=0)
        self.mean = center
        spread = jnp.mean(jnp.square(x - self.mean), axis=0)
        self.var = spread
        return self._affine(x, center, spread)
