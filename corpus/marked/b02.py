"""Port of torch.nn.BatchNorm{1,2}d to NNX (channels last, NHWC).

Differences with torch: `momentum` is the weight of the *old* value (flax
convention) and the biased variance is tracked.
"""
import jax.numpy as jnp
from flax import nnx


class BatchNorm2d(nnx.Module):

    def __init__(self, num_features, eps=1e-5, momentum=0.9, affine=True, *, rngs=None):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.training = True
        if affine:
            self.weight = nnx.Param(jnp.ones((num_features,)))
            self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))
        self.num_batches_tracked = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def train(self, mode=True, **attributes):
        self.training = mode
        return self

    def eval(self, **attributes):
        return self.train(False)

    def _check_input_dim(self, input):
        if input.shape[-1] != self.num_features:
            raise ValueError(f"expected {self.num_features} channels, got {input.shape[-1]}")

    def _lerp_(self, buf, value):
        """buf.lerp_(value, 1 - momentum)"""
        buf[...] = buf[...] + (1.0 - self.momentum) * (value - buf[...])

    def __call__(self, input):
        self._check_input_dim(input)
        dims = tuple(range(input.ndim - 1))
        if self.training:
            self.num_batches_tracked[...] = self.num_batches_tracked[...] + 1
            mean = input.mean(dims)
            self._lerp_(self.running_mean, mean)
            var = jnp.square(input - self.running_mean[...]).mean(dims)
            self._lerp_(self.running_var, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]

        out = (input - mean) / jnp.sqrt(var + self.eps)
        if self.affine:
            out = out * self.weight[...] + self.bias[...]
        return out
