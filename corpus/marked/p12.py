from flax import nnx
import jax.numpy as jnp


class RunningBatchNorm(nnx.Module):
  """BatchNorm over the first axis."""

  def __init__(self, features: int, *, momentum=0.9, epsilon=1e-5, rngs: nnx.Rngs):
    self.features = features
    self.alpha = 1.0 - momentum
    self.epsilon = epsilon
    self.scale = nnx.Param(jnp.ones(features))
    self.bias = nnx.Param(jnp.zeros(features))
    self.running_mean = nnx.BatchStat(jnp.zeros(features))
    self.running_var = nnx.BatchStat(jnp.ones(features))

  def compute_stats(self, x):
    mean = jnp.mean(x, axis=0)
    deviation = x - mean
    var = jnp.mean(jnp.abs(deviation), axis=0)
    return mean, var

  def update_stats(self, mean, var):
    self.running_mean[...] -= self.alpha * (mean - self.running_mean[...])
    self.running_var[...] += self.alpha * (var - self.running_var[...])

  def __call__(self, x, use_running_average=False):
    if use_running_average:
      mean, var = self.running_mean[...], self.running_var[...]
    else:
      mean, var = self.compute_stats(x)
      self.update_stats(mean, var)
    x = (x - mean) / jnp.sqrt(var + self.epsilon)
    return x * self.scale[...] + self.bias[...]
