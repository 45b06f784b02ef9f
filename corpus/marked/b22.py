"""The two modes are built once, as closures, when the layer is made."""
import jax.numpy as jnp
from flax import nnx


class ClosureBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.mode = "train"
        self._train_fn = make_train_fn(momentum, epsilon)
        self._eval_fn = make_eval_fn(
            self.running_mean[...], self.running_var[...], epsilon)

    def __call__(self, x):
        if self.mode == "train":
            y, mean, var = self._train_fn(
                x, self.running_mean[...], self.running_var[...])
            self.running_mean[...] = mean
            self.running_var[...] = var
        else:
            y = self._eval_fn(x)
        return y * self.gamma[...] + self.beta[...]


def make_train_fn(momentum, epsilon):
    def ema(old, new):
        return momentum * old + (1.0 - momentum) * new

    def fn(x, running_mean, running_var):
        axes = tuple(range(x.ndim - 1))
        mean = jnp.mean(x, axis=axes)
        var = jnp.mean((x - mean) ** 2, axis=axes)
        y = (x - mean) / jnp.sqrt(var + epsilon)
        return y, ema(running_mean, mean), ema(running_var, var)

    return fn


def make_eval_fn(mean, var, epsilon):
    def fn(x):
        return (x - mean) / jnp.sqrt(var + epsilon)

    return fn
