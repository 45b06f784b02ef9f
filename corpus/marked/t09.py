import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def feature_var(x):
    return jnp.var(x, axis=0)


def _feature_var_fwd(x):
    centered = x - jnp.mean(x, axis=0)
    return jnp.mean(centered * centered, axis=0), centered


def _feature_var_bwd(centered, ct):
    n = centered.shape[0]
    return (centered * ct / n,)


feature_var.defvjp(_feature_var_fwd, _feature_var_bwd)


class VarBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(num_features))
        self.shift = nnx.Param(jnp.zeros(num_features))
        self.run_mean = nnx.Variable(jnp.zeros(num_features))
        self.run_var = nnx.Variable(jnp.ones(num_features))

    def _blend(self, running, batch):
        batch = jax.lax.stop_gradient(batch)
        return running + (1.0 - self.momentum) * (batch - running)

    def __call__(self, x, training=True):
        if training:
            mean = jnp.mean(x, axis=0)
            var = feature_var(x)
            self.run_mean[...] = self._blend(self.run_mean[...], mean)
            self.run_var[...] = self._blend(self.run_var[...], var)
        else:
            mean = self.run_mean[...]
            var = self.run_var[...]
        return self.scale[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.shift[...]
