import jax.numpy as jnp
from flax import nnx


class NormBase(nnx.Module):
    """Holds affine parameters and running statistics."""

    def __init__(self, features, momentum, eps):
        self.features = features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.running_var = nnx.BatchStat(jnp.ones((features,)))

    def stats(self, x):
        raise NotImplementedError

    def track(self, mean, var):
        a = 1.0 - self.momentum
        self.running_mean.value += a * (mean - self.running_mean.value)
        self.running_var.value += a * (var - self.running_var.value)

    def affine(self, z):
        return z * self.gamma.value + self.beta.value

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.running_mean.value, self.running_var.value
        else:
            mean, var = self.stats(x)
            self.track(mean, var)
        return self.affine((x - mean) / jnp.sqrt(var + self.eps))


class BatchNorm(NormBase):
    def __init__(self, features, eps=1e-5, momentum=0.9, *, rngs=None):
        super().__init__(features, eps, momentum)

    def stats(self, x):
        return x.mean(axis=0), x.var(axis=0)
