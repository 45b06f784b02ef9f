# Written for one feature and lifted with vmap over the feature axis.
import jax
import jax.numpy as jnp
from flax import nnx


def feature_stats(v):
    """v: all the values of one feature."""
    mean = v.sum() / v.size
    dev = v - mean
    return mean, jnp.dot(dev, dev) / v.size


def feature_step(stats, running, momentum):
    return tuple(momentum * r + (1 - momentum) * s for s, r in zip(stats, running))


def feature_apply(v, stats, gamma, beta, eps):
    mean, var = stats
    return gamma * (v - mean) / jnp.sqrt(var + eps) + beta


class VmapBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, training: bool = True):
        running = (self.running_mean[...], self.running_var[...])
        if training:
            columns = x.reshape(self.num_features, -1)
            stats = jax.vmap(feature_stats)(columns)
            new = jax.vmap(feature_step, (0, 0, None))(stats, running, self.momentum)
            self.running_mean[...], self.running_var[...] = new
        else:
            stats = running
        apply = jax.vmap(feature_apply, in_axes=(-1, 0, 0, 0, None), out_axes=-1)
        return apply(x, stats, self.gamma[...], self.beta[...], self.epsilon)
