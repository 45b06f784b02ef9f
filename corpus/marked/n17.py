import jax
import jax.numpy as jnp
from flax import nnx


class RunningNorm(nnx.Module):
    """Base: keeps the moving statistics and applies the affine map."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def absorb(self, mean, var):
        mean, var = jax.lax.stop_gradient(mean), jax.lax.stop_gradient(var)
        self.mean.value = self.momentum * self.mean.value + (1 - self.momentum) * mean
        self.var.value = self.momentum * self.var.value + (1 - self.momentum) * var

    def batch_step(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        self.absorb(mean, var)
        return mean, var

    def __call__(self, x, use_running_average: bool):
        if use_running_average:
            mean, var = self.mean.value, self.var.value
        else:
            mean, var = self.batch_step(x)
        inv = jax.lax.rsqrt(var + self.eps)
        return (x - mean) * inv * self.gamma.value + self.beta.value


class CountingBatchNorm(RunningNorm):
    """Also counts the batches it has seen."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        super().__init__(num_features, momentum, eps, rngs=rngs)
        self.num_batches = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def batch_step(self, x):
        mean, var = super().batch_step(x)
        self.absorb(mean, var)
        self.num_batches.value = self.num_batches.value + 1
        return mean, var
