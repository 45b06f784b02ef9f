from absl.testing import absltest
from absl.testing import parameterized
from haiku._src import batch_norm
from haiku._src import test_utils
import jax.numpy as jnp
import numpy as np


class BatchNormHalfTest(parameterized.TestCase):

  @parameterized.parameters(0.9, 0.999)
  def test_bfloat16_statistics(self, decay_rate):
    self._check(decay_rate)

  @test_utils.transform_and_run
  def _check(self, decay_rate):
    data = jnp.array([[100.0], [101.0], [101.0]], jnp.bfloat16)
    norm = batch_norm.BatchNorm(True, True, decay_rate)
    result = norm(data, is_training=True)
    self.assertEqual(result.dtype, jnp.bfloat16)
    np.testing.assert_allclose(
        norm.mean_ema.average.astype(jnp.float32), [[302 / 3]], rtol=1e-4)


if __name__ == "__main__":
  absltest.main()
