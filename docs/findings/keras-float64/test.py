import jax
import numpy as np
import pytest

from keras.src import backend
from keras.src import layers
from keras.src import ops
from keras.src import testing


@pytest.mark.skipif(backend.backend() != "jax", reason="x64 is an option of JAX")
class BatchNormalizationFloat64Test(testing.TestCase):
    def test_float64_is_computed_in_float64(self):
        jax.config.update("jax_enable_x64", True)
        self.addCleanup(jax.config.update, "jax_enable_x64", False)
        x = np.array([[1 / 3], [2 / 3], [1.0]])
        layer = layers.BatchNormalization(dtype="float64", epsilon=1e-5)
        y = ops.convert_to_numpy(layer(x, training=True))
        expected = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        np.testing.assert_allclose(y, expected, rtol=1e-12)
