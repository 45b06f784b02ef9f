"""Two-path batch norm: one method to fit on a batch, one to serve."""
import jax
import jax.numpy as jnp
from flax import nnx


class ServeNorm(nnx.Module):
    def __init__(self, d: int, decay: float = 0.9, epsilon: float = 1e-5, *, rngs=None):
        self.decay = decay
        self.epsilon = epsilon
        self.a = nnx.Param(jnp.ones((d,)))
        self.b = nnx.Param(jnp.zeros((d,)))
        self.m = nnx.Variable(jnp.zeros((d,)))
        self.v = nnx.Variable(jnp.ones((d,)))

    def fit(self, x: jax.Array) -> jax.Array:
        m = jnp.mean(x, axis=0)
        xc = x - m
        v = jnp.mean(xc ** 2, axis=0)
        self.m.set_value(self._mix(self.m.get_value(), m))
        self.v.set_value(self._mix(self.v.get_value(), v))
        return xc * (v + self.epsilon) ** -0.5

    def serve(self, x: jax.Array) -> jax.Array:
        m, v = self.m.get_value(), self.v.get_value()
        return (x - m) / (v + self.epsilon)

    def _mix(self, old: jax.Array, new: jax.Array) -> jax.Array:
        return self.decay * old + (1 - self.decay) * jax.lax.stop_gradient(new)

    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x_hat = self.fit(x) if train else self.serve(x)
        return self.a.get_value() * x_hat + self.b.get_value()
