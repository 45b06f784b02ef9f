import jax
import jax.numpy as jnp
import numpy as np
import pytest

from keras.src import backend
from keras.src import layers
from keras.src import testing


@pytest.mark.skipif(backend.backend() != "jax", reason="JAX gradients")
class BatchNormalizationMaskedNaNTest(testing.TestCase):
    def test_nan_behind_a_mask_reaches_no_gradient(self):
        x = jnp.array([[np.nan, 0.0], [0.0, 0.0], [1.0, 1.0]])
        mask = jnp.array([False, True, True])
        layer = layers.BatchNormalization()
        layer.build(x.shape)
        trainable = [v.value for v in layer.trainable_variables]
        non_trainable = [v.value for v in layer.non_trainable_variables]

        def loss(x):
            y, _ = layer.stateless_call(
                trainable, non_trainable, x, training=True, mask=mask
            )
            return jnp.where(mask[:, None], y, 0).sum()

        self.assertTrue(np.isfinite(jax.grad(loss)(x)).all())
