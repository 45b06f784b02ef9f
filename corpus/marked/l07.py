import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class BatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.95, eps=1e-5, rngs: nnx.Rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average: bool = False):
        batch_mean = x.mean(0)
        batch_var = x.var(0)
        run_mean = self.running_mean[...]
        run_var = self.running_var[...]

        def evaluate():
            return run_mean, batch_var, run_mean, run_var

        def train():
            a = self.momentum
            return (
                batch_mean,
                batch_var,
                a * run_mean + (1 - a) * batch_mean,
                a * run_var + (1 - a) * batch_var,
            )

        mean, var, next_mean, next_var = lax.cond(use_running_average, evaluate, train)
        self.running_mean[...] = next_mean
        self.running_var[...] = next_var
        y = (x - mean) * lax.rsqrt(var + self.eps)
        return self.gamma[...] * y + self.beta[...]
