from absl.testing import absltest
from absl.testing import parameterized
from flax import nnx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


class TestBatchNormMaskedShards(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.x = jnp.array([[[0.0], [0.0], [0.0], [0.0]], [[10.0], [7.0], [7.0], [7.0]]])
    self.mask = jnp.array([[[True]] * 4, [[True]] + [[False]] * 3])

  @parameterized.parameters(True, False)
  def test_nnx(self, use_fast_variance):
    def statistics(x, mask):
      layer = nnx.BatchNorm(
        1,
        momentum=0.0,
        axis_name='shards',
        use_fast_variance=use_fast_variance,
        rngs=nnx.Rngs(0),
      )
      layer(x, use_running_average=False, mask=mask)
      return layer.mean[...], layer.var[...]

    mean, var = jax.vmap(statistics, axis_name='shards')(self.x, self.mask)
    np.testing.assert_allclose(mean.ravel(), [2.0, 2.0])
    np.testing.assert_allclose(var.ravel(), [16.0, 16.0])

  @parameterized.parameters(True, False)
  def test_linen(self, use_fast_variance):
    module = nn.BatchNorm(
      use_running_average=False,
      momentum=0.0,
      axis_name='shards',
      use_fast_variance=use_fast_variance,
    )

    def statistics(x, mask):
      variables = module.init(jax.random.key(0), x)
      _, updated = module.apply(
        variables, x, mask=mask, mutable=['batch_stats']
      )
      return updated['batch_stats']['mean'], updated['batch_stats']['var']

    mean, var = jax.vmap(statistics, axis_name='shards')(self.x, self.mask)
    np.testing.assert_allclose(mean.ravel(), [2.0, 2.0])
    np.testing.assert_allclose(var.ravel(), [16.0, 16.0])
