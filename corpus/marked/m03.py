# Port of the torch layer used in the baseline repo.
import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.9, *, rngs):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight_shape = (num_features,)
        self.gamma = nnx.Param(jnp.empty(self.weight_shape))
        self.beta = nnx.Param(jnp.empty(self.weight_shape))
        self.running_mean = nnx.BatchStat(jnp.empty(self.weight_shape))
        self.running_var = nnx.BatchStat(jnp.empty(self.weight_shape))
        self.reset_parameters()

    def reset_running_stats(self):
        self.running_mean.value = jnp.zeros(self.weight_shape)
        self.running_var.value = jnp.ones(self.weight_shape)

    def reset_parameters(self):
        self.reset_running_stats()
        self.gamma.value = jnp.ones(self.weight_shape)
        self.beta.value = jnp.zeros(self.weight_shape)

    def _check_input_dim(self, input):
        if input.ndim != 2:
            raise ValueError(f"expected 2D input (got {input.ndim}D input)")

    def forward(self, input, training):
        self._check_input_dim(input)
        if training:
            batch_mean = jnp.mean(input, axis=0, keepdims=True)
            batch_var = jnp.var(input, axis=0, keepdims=True)
            self.running_mean.value = (
                self.running_mean.value * self.momentum
                + batch_mean.squeeze(0) * (1 - self.momentum)
            )
            self.running_var.value = (
                self.running_var.value * self.momentum
                + batch_var.squeeze(0) * (1 - self.momentum)
            )
            out = (input - batch_mean) / (jnp.sqrt(batch_var) + self.eps)
        else:
            out = (input - self.running_mean.value) / jnp.sqrt(
                self.running_var.value + self.eps
            )
        return self.gamma.value * out + self.beta.value

    def __call__(self, x, use_running_average=False):
        return self.forward(x, training=not use_running_average)
