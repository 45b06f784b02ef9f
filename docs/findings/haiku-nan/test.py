from absl.testing import absltest
from haiku._src import batch_norm
from haiku._src import test_utils
import jax.numpy as jnp
import numpy as np


class BatchNormLargeMeanTest(absltest.TestCase):

  @test_utils.transform_and_run
  def test_large_mean(self):
    data = jnp.array([[1000.0], [1000.3], [1000.3]])
    norm = batch_norm.BatchNorm(True, True, 0.9)
    result = norm(data, is_training=True)
    exact = np.asarray(data, np.float64)
    np.testing.assert_allclose(
        result, (exact - exact.mean()) / np.sqrt(exact.var() + 1e-5), rtol=1e-2)
    np.testing.assert_allclose(
        norm.var_ema.average, [[exact.var()]], rtol=1e-2)


if __name__ == "__main__":
  absltest.main()
