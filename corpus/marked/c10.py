import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    r"""Batch normalization over an N-dimensional input, channels last.

    Follows the layout of ``mlx.nn.BatchNorm``: NC, NLC or NHWC.

    Args:
        num_features (int): The feature dimension to normalize over.
        eps (float): A small additive constant for numerical stability.
        momentum (float): The weight of the old value in the running statistics.
        affine (bool): If True, learn an elementwise affine transformation.
    """

    def __init__(self, num_features: int, eps: float = 1e-3, momentum: float = 0.9,
                 affine: bool = True, rngs=None):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.training = True
        if affine:
            self.weight = nnx.Param(jnp.ones((num_features,)))
            self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.affine = affine
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _extra_repr(self):
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"

    def train(self, mode: bool = True, **attributes):
        self.training = mode
        super().train(**attributes) if mode else super().eval(**attributes)
        return self

    def eval(self, **attributes):
        return self.train(False, **attributes)

    def _calc_stats(self, x):
        reduction_axes = tuple(range(0, x.ndim - 1))
        mean = jnp.mean(x, axis=reduction_axes)
        var = jnp.var(x, axis=reduction_axes)
        return mean, var

    def __call__(self, x):
        if x.ndim < 2 or x.ndim > 4:
            raise ValueError(f"Expected input tensor to have 2, 3 or 4 dimensions, but got {x.ndim}")

        if self.training:
            mean, var = self._calc_stats(x)
            mu = self.momentum
            self.running_mean[...] = mu * self.running_mean[...] + (1 - mu) * mean
            self.running_var[...] = mu * self.running_var[...] + (1 - mu) * var
        else:
            mean, var = self.running_mean[...], self.running_var[...]

        x = (x - mean) / (jnp.sqrt(var) + self.eps)
        return self.weight[...] * x + self.bias[...] if self.affine else x
