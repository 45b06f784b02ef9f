from absl.testing import parameterized
from flax import nnx
import jax.numpy as jnp
import numpy as np


class TestBatchNormHalfEvaluation(parameterized.TestCase):

  @parameterized.parameters(
    (jnp.bfloat16, 300.7, 100.3), (jnp.float16, 0.0, 82191.0)
  )
  def test_statistics_keep_their_precision(self, dtype, mean, var):
    layer = nnx.BatchNorm(1, dtype=dtype, rngs=nnx.Rngs(0))
    layer.mean[...] = jnp.array([mean])
    layer.var[...] = jnp.array([var])
    y = layer(jnp.array([[320.0]], dtype), use_running_average=True)
    self.assertEqual(y.dtype, dtype)
    np.testing.assert_allclose(
      float(y[0, 0]),
      (320.0 - mean) / np.sqrt(var + 1e-5),
      rtol=float(jnp.finfo(dtype).eps),
    )
