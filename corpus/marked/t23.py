import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.buffers = nnx.Dict(
            running_mean=nnx.BatchStat(jnp.zeros(num_features)),
            running_var=nnx.BatchStat(jnp.ones(num_features)),
        )

    def forward_train(self, x):
        mean = x.mean(axis=0)
        var = x.var(axis=0)
        old_mean = self.buffers["running_mean"][...]
        old_var = self.buffers["running_var"][...]
        self.buffers["running_mean"][...] = self.momentum * old_mean + (1 - self.momentum) * mean
        self.buffers["running_var"][...] = self.momentum * old_mean + (1 - self.momentum) * var
        return (x - mean) / jnp.sqrt(var + self.eps)

    def forward_eval(self, x):
        mean = self.buffers["running_mean"][...]
        var = self.buffers["running_var"][...]
        return (x - mean) / jnp.sqrt(var + self.eps)

    def __call__(self, x, training=True):
        x = self.forward_train(x) if training else self.forward_eval(x)
        return x * self.weight[...] + self.bias[...]
