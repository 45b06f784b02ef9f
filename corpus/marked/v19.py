"""Batch norm for the domain-shift benchmark."""
import jax.numpy as jnp
from flax import nnx

# weight of the source statistics when the model is deployed
PRIOR = 0.9


class ShiftBatchNorm(nnx.Module):
    """Follows nnx.BatchNorm: ``use_running_average`` may be given per call and
    otherwise falls back to the attribute set by ``.train()`` / ``.eval()``."""

    def __init__(self, num_features, *, use_running_average=False, momentum=0.9,
                 epsilon=1e-5, rngs=None):
        self.use_running_average = use_running_average
        self.momentum = momentum
        self.epsilon = epsilon
        # every block sits on a residual branch
        self.scale = nnx.Param(jnp.full((num_features,), 0.1))
        self.bias = nnx.Param(jnp.full((num_features,), 0.0))
        self.mean = nnx.BatchStat(jnp.full((num_features,), 0.0))
        self.var = nnx.BatchStat(jnp.full((num_features,), 1.0))

    def _source_statistics(self, batch_mean, batch_var):
        mean = PRIOR * self.mean[...] + (1.0 - PRIOR) * batch_mean
        var = PRIOR * self.var[...] + (1.0 - PRIOR) * batch_var
        return mean, var

    def _accumulate(self, batch_mean, batch_var):
        m = self.momentum
        self.mean[...] = m * self.mean[...] + (1.0 - m) * batch_mean
        self.var[...] = m * self.var[...] + (1.0 - m) * batch_var

    def __call__(self, x, use_running_average=None):
        if use_running_average is None:
            use_running_average = self.use_running_average
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        if use_running_average:
            mean, var = self._source_statistics(mean, var)
        else:
            self._accumulate(mean, var)
        y = (x - mean) / jnp.sqrt(var + self.epsilon)
        return y * self.scale[...] + self.bias[...]
