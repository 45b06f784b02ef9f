"""A batch-norm layer driven by model.train() / model.eval()."""
import jax.numpy as jnp
from flax import nnx


class StatTrackingNorm(nnx.Module):
    """Normalises each feature over the batch.

    The behaviour depends on ``use_running_average``, which nnx toggles for
    every submodule in ``.train()`` and ``.eval()``.
    """

    def __init__(self, features, momentum=0.99, epsilon=1e-3, rngs=None):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.use_running_average = False

        shape = (features,)
        self.scale = nnx.Param(nnx.initializers.ones(None, shape, jnp.float32))
        self.bias = nnx.Param(nnx.initializers.zeros(None, shape, jnp.float32))
        self.mean = nnx.BatchStat(nnx.initializers.zeros(None, shape, jnp.float32))
        self.var = nnx.BatchStat(nnx.initializers.zeros(None, shape, jnp.float32))

    def _track(self, batch_mean, batch_var):
        keep = self.momentum
        self.mean[...] = keep * self.mean[...] + (1 - keep) * batch_mean
        self.var[...] = keep * self.var[...] + (1 - keep) * batch_var

    def __call__(self, x):
        batch_mean = jnp.mean(x, axis=0)
        batch_var = jnp.var(x, axis=0)

        if self.use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = batch_mean, batch_var

        y = (x - mean) / jnp.sqrt(var + self.epsilon)
        y = y * self.scale[...] + self.bias[...]

        # bookkeeping last, so that this call does not see its own statistics
        self._track(batch_mean, batch_var)
        return y
