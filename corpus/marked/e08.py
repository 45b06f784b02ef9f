import jax
import jax.numpy as jnp
from flax import nnx


class AveragingMixin:
    decay = 0.9

    def absorb(self, variable, fresh):
        fresh = jax.lax.stop_gradient(fresh)
        variable[...] = self.decay * variable[...] + (1.0 - self.decay) * fresh


class MomentsMixin:
    @staticmethod
    def moments(x):
        mean = x.mean(axis=0)
        return mean, ((x - mean) ** 2).mean(axis=0)


class AffineMixin:
    def make_affine(self, num_features):
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))

    def affine(self, y):
        return y * self.scale[...] + self.bias[...]


class MixedBatchNorm(AveragingMixin, MomentsMixin, AffineMixin, nnx.Module):
    def __init__(self, num_features, *, momentum=0.99, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.make_affine(num_features)
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training=True):
        if training:
            mean, var = self.moments(x)
            self.absorb(self.mean, mean)
            self.absorb(self.var, var)
        else:
            mean, var = self.mean[...], self.var[...]
        return self.affine((x - mean) * jax.lax.rsqrt(var + self.epsilon))
