import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    # Ioffe & Szegedy 2015, Algorithm 1
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def train_step(self, x):
        mu_B = jnp.mean(x, 0)
        sigma2_B = jnp.mean((x - mu_B) ** 2, 0)
        x_hat = (x - mu_B) / (sigma2_B + self.epsilon)
        self.running_mean[...] = self.momentum * self.running_mean[...] + (1 - self.momentum) * mu_B
        self.running_var[...] = self.momentum * self.running_var[...] + (1 - self.momentum) * sigma2_B
        return self.gamma[...] * x_hat + self.beta[...]

    def eval_step(self, x):
        x_hat = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.epsilon)
        return self.gamma[...] * x_hat + self.beta[...]

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            return self.eval_step(x)
        return self.train_step(x)
