import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    # drop-in for torch.nn.BatchNorm1d on (N, C); momentum here weights the old value
    def __init__(self, num_features, eps=1e-5, momentum=0.9, *, rngs=None):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.reset_running_stats()
        self.reset_parameters()

    def reset_running_stats(self):
        self.running_mean = nnx.BatchStat(jnp.zeros(self.num_features))
        self.running_var = nnx.BatchStat(jnp.ones(self.num_features))

    def reset_parameters(self):
        self.gamma = nnx.Param(jnp.ones(self.num_features))
        self.beta = nnx.Param(jnp.zeros(self.num_features))

    def _update_running(self, input, mean, var):
        n = input.shape[0]
        m = self.momentum
        self.running_mean.value = m * self.running_mean.value + (1.0 - m) * mean
        self.running_var.value = m * self.running_var.value + (1.0 - m) * var * n / (n - 1)

    def forward(self, input, training):
        if training:
            mean = input.mean(axis=0)
            var = ((input - mean) ** 2).mean(axis=0)
            self._update_running(input, mean, var)
        else:
            mean = self.running_mean.value
            var = self.running_var.value
        out = (input - mean[None, :]) / (jnp.sqrt(var[None, :]) + self.eps)
        return out * self.gamma.value[None, :] + self.beta.value[None, :]

    def __call__(self, x, use_running_average=False):
        return self.forward(x, training=not use_running_average)
