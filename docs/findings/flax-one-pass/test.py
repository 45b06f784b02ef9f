from absl.testing import absltest
from flax import nnx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


class TestBatchNormLargeMean(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.x = jnp.array([[9999.0], [10000.0], [10001.3]])
    x = np.asarray(self.x, np.float64)
    self.expected = (x - x.mean()) / np.sqrt(x.var() + 1e-5)

  def test_nnx(self):
    y = nnx.BatchNorm(1, rngs=nnx.Rngs(0))(self.x)
    np.testing.assert_allclose(y, self.expected, rtol=1e-2)

  def test_linen(self):
    module = nn.BatchNorm(use_running_average=False)
    y, _ = module.init_with_output(jax.random.key(0), self.x)
    np.testing.assert_allclose(y, self.expected, rtol=1e-2)
