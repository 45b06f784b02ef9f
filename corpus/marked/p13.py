import jax
from jax import numpy as np
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, rngs=None):
        shape = (1, num_features)
        self.gamma = nnx.Param(np.ones(num_features))
        self.beta = nnx.Param(np.zeros(num_features))
        self.running_mean = nnx.BatchStat(np.zeros(num_features))
        self.running_var = nnx.BatchStat(np.ones(num_features))
        self.shape = shape
        self.momentum = momentum
        self.eps = eps

    def _stats(self, x):
        mean = np.mean(x, keepdims=True)
        var = np.mean((x - x.mean(axis=0)) ** 2, axis=0, keepdims=True)
        return mean, var

    def _normalize(self, x, mean, var):
        return (x - mean) / np.sqrt(var + self.eps)

    def _affine(self, x):
        return x * self.gamma.value.reshape(self.shape) + self.beta.value.reshape(self.shape)

    def _accumulate(self, mean, var):
        m = self.momentum
        self.running_mean.value = m * self.running_mean.value + (1 - m) * mean.reshape(-1)
        self.running_var.value = m * self.running_var.value + (1 - m) * var.reshape(-1)

    def __call__(self, x, use_running_average=False):
        batch_mean, batch_var = self._stats(x)
        if use_running_average:
            mean = self.running_mean.value.reshape(self.shape)
            var = self.running_var.value.reshape(self.shape)
        else:
            mean, var = batch_mean, batch_var
        self._accumulate(batch_mean, batch_var)
        return self._affine(self._normalize(x, mean, var))
