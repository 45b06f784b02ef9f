from absl.testing import absltest
import flax.linen as nn
import jax
import jax.numpy as jnp


class BatchNormFloat64Test(absltest.TestCase):

  def test_statistics_keep_their_dtype(self):
    jax.config.update('jax_enable_x64', True)
    self.addCleanup(jax.config.update, 'jax_enable_x64', False)
    module = nn.BatchNorm(use_running_average=False)
    x = jnp.array([[0.0], [1.0]], jnp.float64)
    variables = module.init(jax.random.key(0), x)
    _, updated = module.apply(variables, x, mutable=['batch_stats'])
    self.assertEqual(
      jax.tree.map(lambda v: v.dtype, variables['batch_stats']),
      jax.tree.map(lambda v: v.dtype, updated['batch_stats']),
    )
