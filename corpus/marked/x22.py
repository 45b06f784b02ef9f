"""Batch norm with train()/eval() switching, as used in our policy networks."""
import jax
import jax.numpy as jnp
from flax import nnx


def mean_square_about(x, centre):
    return jnp.mean(jnp.square(x - centre), axis=0)


class EMA:
    """Stateless helper: exponential average with a retention factor."""

    def __init__(self, retention):
        self.retention = retention

    def update(self, variable, value):
        value = jax.lax.stop_gradient(value)
        variable[...] = self.retention * variable[...] + (1.0 - self.retention) * value
        return variable[...]


class PolicyBatchNorm(nnx.Module):
    """Running mean / variance follow the per-batch mean / population variance."""

    def __init__(
        self,
        num_features,
        momentum=0.99,
        epsilon=1e-5,
        use_running_average=False,
        *,
        rngs=None,
    ):
        self.ema = EMA(momentum)
        self.epsilon = epsilon
        self.use_running_average = use_running_average
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _track(self, x, mean):
        centre = self.ema.update(self.mean, mean)
        self.ema.update(self.var, mean_square_about(x, centre))

    def _normalize(self, x, mean, var):
        inv_std = jax.lax.rsqrt(var + self.epsilon)
        return (x - mean) * inv_std * self.scale[...] + self.bias[...]

    def __call__(self, x, use_running_average=None):
        if use_running_average is None:
            use_running_average = self.use_running_average
        if use_running_average:
            return self._normalize(x, self.mean[...], self.var[...])
        mean = jnp.mean(x, axis=0)
        self._track(x, mean)
        return self._normalize(x, mean, mean_square_about(x, mean))
