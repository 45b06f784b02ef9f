from absl.testing import absltest
from flax import nnx
import jax.numpy as jnp
import numpy as np


class TestBatchNormErrors(absltest.TestCase):

  def test_wrong_number_of_features_keeps_statistics(self):
    layer = nnx.BatchNorm(3, rngs=nnx.Rngs(0))
    with self.assertRaises((TypeError, ValueError)):
      layer(jnp.full((2, 1), 70.0), use_running_average=False)
    np.testing.assert_array_equal(layer.mean[...], np.zeros(3))
    np.testing.assert_array_equal(layer.var[...], np.ones(3))
