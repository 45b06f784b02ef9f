import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    """Everything numerical is a static method, to be testable on its own."""

    def __init__(self, num_features, *, rngs=None, momentum=0.99, epsilon=1e-5, name=None):
        self.hparams = (momentum, epsilon)
        self.name = name
        self.use_running_average = False
        self.log = nnx.BatchStat(jnp.zeros((), jnp.int32))  # number of updates
        self.running_mean = nnx.BatchStat(self.zeros(num_features))
        self.running_var = nnx.BatchStat(self.zeros(num_features) + 1)
        self.w = nnx.Param(self.zeros(num_features) + 1)
        self.b = nnx.Param(self.zeros(num_features))

    @staticmethod
    def zeros(n):
        return jnp.zeros((n,), jnp.float32)

    @staticmethod
    def moments(x):
        mean = x.mean(axis=tuple(range(x.ndim - 1)), keepdims=True)
        centered = x - mean
        # the buffers must not hold on to the graph
        var = jax.lax.stop_gradient((centered * centered).mean(axis=tuple(range(x.ndim - 1))))
        return centered, mean.reshape(-1), var

    @staticmethod
    def ema(momentum, old, new):
        return momentum * old + (1 - momentum) * jax.lax.stop_gradient(new)

    @staticmethod
    def whiten(centered, var, eps):
        return centered / jnp.sqrt(var + eps)

    @staticmethod
    def affine(xhat, w, b):
        return xhat * w + b

    def __call__(self, x):
        momentum, eps = self.hparams
        if self.use_running_average:
            xhat = self.whiten(x - self.running_mean[...], self.running_var[...], eps)
        else:
            centered, mean, var = self.moments(x)
            self.running_mean[...] = self.ema(momentum, self.running_mean[...], mean)
            self.running_var[...] = self.ema(momentum, self.running_var[...], var)
            self.log[...] += 1
            xhat = self.whiten(centered, var, eps)
        return self.affine(xhat, self.w[...], self.b[...])
