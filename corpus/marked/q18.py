import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx

Stats = dict[str, jax.Array]


def batch_statistics(x: jax.Array) -> Stats:
    mean = jnp.mean(x, axis=0)
    return {"mean": mean, "var": jnp.mean(jnp.square(x - mean), axis=0)}


def inverse_std(var: jax.Array, eps: float) -> jax.Array:
    return lax.rsqrt(jnp.maximum(var, eps))


def normalize(x: jax.Array, stats: Stats, gamma: jax.Array, beta: jax.Array, eps: float) -> jax.Array:
    return (x - stats["mean"]) * (gamma * inverse_std(stats["var"], eps)) + beta


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, decay: float = 0.9, epsilon: float = 1e-5, *, rngs=None):
        self.decay = decay
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def running_statistics(self) -> Stats:
        return {"mean": self.mean[...], "var": self.var[...]}

    def absorb(self, stats: Stats) -> None:
        for name, value in stats.items():
            variable = getattr(self, name)
            variable[...] = self.decay * variable[...] + (1.0 - self.decay) * lax.stop_gradient(value)

    def __call__(self, x: jax.Array, training: bool) -> jax.Array:
        stats = batch_statistics(x) if training else self.running_statistics()
        y = normalize(x, stats, self.gamma[...], self.beta[...], self.epsilon)
        if training:
            self.absorb(stats)
        return y
