"""Table-driven BatchNorm.

Every array of the layer is one row of ARRAYS, so sharding rules, renames and
initialisers can be changed in a single place.
"""
import jax.numpy as jnp
from flax import nnx
from jax.nn import initializers as init

ARRAYS = {
    "scale": (nnx.Param, init.ones),
    "bias": (nnx.Param, init.zeros),
    "mean": (nnx.BatchStat, init.zeros),
    "var": (nnx.BatchStat, init.zeros),
}


def _first_not_none(*candidates):
    return next(c for c in candidates if c is not None)


class BatchNorm(nnx.Module):
    """Normalises the columns of a (batch, features) array.

    Args:
      num_features: number of columns.
      momentum: decay of the running statistics.
      epsilon: small constant added to the variance.
      use_running_average: default mode; the call argument takes precedence.
    """

    def __init__(self, num_features, *, momentum=0.99, epsilon=1e-5,
                 use_running_average=False, param_dtype=jnp.float32, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.use_running_average = use_running_average
        for name, (kind, initializer) in ARRAYS.items():
            setattr(self, name, kind(initializer(None, (num_features,), param_dtype)))

    def _arrays(self):
        return {name: getattr(self, name)[...] for name in ARRAYS}

    def __call__(self, x, use_running_average=None):
        use_running_average = _first_not_none(use_running_average, self.use_running_average)
        a = self._arrays()
        if not use_running_average:
            batch = {"mean": jnp.mean(x, axis=0)}
            batch["var"] = jnp.mean(jnp.square(x - batch["mean"]), axis=0)
            for name, value in batch.items():
                getattr(self, name)[...] = self.momentum * a[name] + (1 - self.momentum) * value
            a.update(batch)
        y = (x - a["mean"]) / jnp.sqrt(a["var"] + self.epsilon)
        return y * a["scale"] + a["bias"]
