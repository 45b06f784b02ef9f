from absl.testing import absltest
from flax import nnx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


class TestBatchNormMaskedNaN(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.x = jnp.array([[jnp.nan], [0.0], [1.0]])
    self.mask = jnp.array([[False], [True], [True]])

  def test_nnx_gradient(self):
    def loss(x):
      layer = nnx.BatchNorm(1, rngs=nnx.Rngs(0))
      y = layer(x, use_running_average=False, mask=self.mask)
      return jnp.where(self.mask, y, 0).sum()

    self.assertTrue(np.isfinite(jax.grad(loss)(self.x)).all())

  def test_linen_gradient(self):
    module = nn.BatchNorm(use_running_average=False)
    variables = module.init(jax.random.key(0), jnp.ones((3, 1)))

    def loss(x):
      y, _ = module.apply(
        variables, x, mask=self.mask, mutable=['batch_stats']
      )
      return jnp.where(self.mask, y, 0).sum()

    self.assertTrue(np.isfinite(jax.grad(loss)(self.x)).all())
