import jax
import jax.numpy as jnp
from flax import nnx


class CondBatchNorm(nnx.Module):

    def __init__(self, features: int, momentum: float = 0.9, epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.running_mean = nnx.BatchStat(jnp.zeros(features))
        self.running_var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average=False):
        mom, eps = self.momentum, self.epsilon

        def eval_branch(operand):
            inputs, rm, rv = operand
            normed = (inputs - rm) / (rv + eps)
            return normed, rm, rv

        def train_branch(operand):
            inputs, rm, rv = operand
            mu = jnp.mean(inputs, axis=0)
            var = jnp.var(inputs, axis=0)
            std = jnp.sqrt(var + eps)
            normed = (inputs - mu) / std
            rm = mom * rm + (1 - mom) * mu
            rv = mom * rv + (1 - mom) * std
            return normed, rm, rv

        operand = (x, self.running_mean.value, self.running_var.value)
        normed, rm, rv = jax.lax.cond(use_running_average, eval_branch, train_branch, operand)
        self.running_mean.value = rm
        self.running_var.value = rv
        return self.scale.value * normed + self.bias.value
