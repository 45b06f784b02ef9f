import jax.numpy as jnp
from jax import lax
from flax import nnx


def compute_stats(x):
    mean = jnp.mean(x, axis=0)
    mean_sq = jnp.mean(lax.square(x - mean), axis=0)
    return {"mean": mean, "var": mean_sq}


class BatchNorm(nnx.Module):
    """Feature-wise batch norm. Statistics travel as {"mean", "var"} dicts."""

    def __init__(self, num_features, momentum=0.99, epsilon=1e-5, *, rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average=False):
        batch = compute_stats(x)
        running = {"mean": self.running_mean.value, "var": self.running_var.value}

        if use_running_average:
            mean, var = running["mean"], batch["var"]
        else:
            mean, var = batch["mean"], batch["var"]
            new = {
                k: self.momentum * running[k] + (1 - self.momentum) * batch[k]
                for k in running
            }
            self.running_mean.value = new["mean"]
            self.running_var.value = new["var"]

        mul = lax.rsqrt(var + self.epsilon) * self.scale.value
        return (x - mean) * mul + self.bias.value
