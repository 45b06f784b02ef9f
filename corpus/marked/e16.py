import jax
import jax.numpy as jnp
from flax import nnx


class RoutedBatchNorm(nnx.Module):
    """Follows module.train() and module.eval()."""

    def __init__(
        self,
        num_features: int,
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        use_running_average: bool = False,
        rngs: nnx.Rngs | None = None,
    ):
        self.momentum = momentum
        self.epsilon = epsilon
        self.use_running_average = use_running_average
        self.route = "_recall" if use_running_average else "_observe"
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _recall(self, x):
        return self.mean[...], self.var[...]

    def _observe(self, x):
        mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
        step = 1.0 - self.momentum
        self.mean[...] += step * (jax.lax.stop_gradient(mean) - self.mean[...])
        self.var[...] += step * (jax.lax.stop_gradient(var) - self.var[...])
        return mean, var

    def __call__(self, x):
        mean, var = getattr(self, self.route)(x)
        inv = jax.lax.rsqrt(var + self.epsilon)
        return (x - mean) * inv * self.scale[...] + self.bias[...]
