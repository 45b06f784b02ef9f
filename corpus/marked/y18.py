"""Equinox-style BatchNorm moved to NNX.

Equinox threads its state through the call; here the state lives in NNX
variables, and the mode comes from layer.train() / layer.eval().
"""
import jax
import jax.numpy as jnp
from flax import nnx


class State(nnx.Variable):
    pass


class StatefulBatchNorm(nnx.Module):
    def __init__(
        self,
        input_size: int,
        eps: float = 1e-5,
        momentum: float = 0.9,
        rngs: nnx.Rngs | None = None,
    ):
        rngs = nnx.Rngs(0) if rngs is None else rngs
        self.input_size = input_size
        self.eps = eps
        self.momentum = momentum
        self.use_running_average = False
        self.weight = nnx.Param(jax.random.uniform(rngs.params(), (input_size,)))
        self.bias = nnx.Param(jnp.zeros((input_size,)))
        self.state_mean = State(jnp.zeros((input_size,)))
        self.state_var = State(jnp.ones((input_size,)))

    def _norm(self, y, mean, var):
        # one feature, all rows; vmapped over the features below
        return (y - mean) / jnp.sqrt(var + self.eps)

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.use_running_average:
            mean, var = self.state_mean[...], self.state_var[...]
        else:
            batch_mean = jnp.mean(x, axis=0)
            batch_var = jnp.mean(jnp.square(x - batch_mean), axis=0)
            m = self.momentum
            run_mean = m * self.state_mean[...] + (1 - m) * batch_mean
            run_var = m * self.state_var[...] + (1 - m) * batch_var
            self.state_mean[...] = run_mean
            self.state_var[...] = run_var
            mean, var = run_mean, run_var

        out = jax.vmap(self._norm, in_axes=(1, 0, 0), out_axes=1)(x, mean, var)
        return out * self.weight[...] + self.bias[...]
