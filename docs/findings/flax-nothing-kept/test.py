from absl.testing import absltest
from flax import nnx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


class TestBatchNormNothingKept(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.x = jnp.ones((2, 1))
    self.nothing = jnp.zeros((2, 1), bool)

  def test_nnx(self):
    layer = nnx.BatchNorm(1, rngs=nnx.Rngs(0))
    y = layer(self.x, use_running_average=False, mask=self.nothing)
    self.assertTrue(np.isfinite(y).all())
    np.testing.assert_allclose(layer.mean[...], [0.0])
    np.testing.assert_allclose(layer.var[...], [1.0])

  def test_linen(self):
    module = nn.BatchNorm(use_running_average=False)
    variables = module.init(jax.random.key(0), self.x)
    _, updated = module.apply(
      variables, self.x, mask=self.nothing, mutable=['batch_stats']
    )
    np.testing.assert_allclose(updated['batch_stats']['mean'], [0.0])
    np.testing.assert_allclose(updated['batch_stats']['var'], [1.0])

  def test_one_shard_of_two(self):
    def mean(x, mask):
      layer = nnx.BatchNorm(
        1, momentum=0.0, axis_name='shards', rngs=nnx.Rngs(0)
      )
      layer(x, use_running_average=False, mask=mask)
      return layer.mean[...]

    x = jnp.stack((self.x, self.x))
    mask = jnp.stack((~self.nothing, self.nothing))
    means = jax.vmap(mean, axis_name='shards')(x, mask)
    np.testing.assert_allclose(means.ravel(), [1.0, 1.0])
