import jax.numpy as jnp
from flax import nnx


class _NormBase(nnx.Module):
    """Shared state of the normalization layers in this package."""

    def __init__(self, num_features, momentum, eps):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.zeros((num_features,)))

    def track(self, mean, var):
        self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * mean
        self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * var

    def affine(self, x_hat):
        return x_hat * self.gamma.value + self.beta.value

    def statistics(self, x):
        raise NotImplementedError

    def __call__(self, x, use_running_average: bool = False):
        if use_running_average:
            mean, var = self.running_mean.value, self.running_var.value
        else:
            mean, var = self.statistics(x)
            self.track(mean, var)
        return self.affine((x - mean) / jnp.sqrt(var + self.eps))


class BatchNorm1D(_NormBase):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        super().__init__(num_features, momentum, eps)

    def statistics(self, x):
        if x.ndim != 2:
            raise ValueError(f"expected 2D input (got {x.ndim}D input)")
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean))
        return mean, var
