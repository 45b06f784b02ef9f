"""BatchNorm whose mode flag may be a traced boolean (one compiled step for
training and evaluation)."""
import jax
import jax.numpy as jnp
from flax import nnx


class CondBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(num_features))
        self.offset = nnx.Param(jnp.zeros(num_features))
        self.ra_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.ra_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, train=True):
        keep = self.momentum

        def train_branch(operand):
            x, ra_mean, ra_var = operand
            mu = jnp.mean(x, axis=0)
            v = jnp.mean(jnp.square(x - mu), axis=0)
            next_mean = ra_mean + (1.0 - keep) * mu
            next_var = (1.0 - keep) * ra_var + keep * v
            return mu, v, next_mean, next_var

        def eval_branch(operand):
            _, ra_mean, ra_var = operand
            return ra_mean, ra_var, ra_mean, ra_var

        mu, v, next_mean, next_var = jax.lax.cond(
            jnp.asarray(train),
            train_branch,
            eval_branch,
            (x, self.ra_mean[...], self.ra_var[...]),
        )
        # variables are written outside of the branches
        self.ra_mean[...] = next_mean
        self.ra_var[...] = next_var

        inv = jax.lax.rsqrt(v + self.epsilon)
        return (x - mu) * inv * self.scale[...] + self.offset[...]
