import numpy as np

from keras.src import layers
from keras.src import ops
from keras.src import testing


class BatchNormalizationMaskedMeanTest(testing.TestCase):
    def test_a_single_kept_position_is_its_own_mean(self):
        layer = layers.BatchNormalization(momentum=0.0)
        x = np.full((2, 2), 10000.0, dtype="float32")
        mask = np.array([True, False])
        y = ops.convert_to_numpy(layer(x, training=True, mask=mask))
        self.assertAllClose(y[0], [0.0, 0.0], atol=0.0, rtol=0.0)
        self.assertAllClose(
            layer.moving_mean, [10000.0, 10000.0], atol=0.0, rtol=0.0
        )

    def test_nothing_kept_gives_finite_statistics(self):
        layer = layers.BatchNormalization()
        x = np.ones((2, 2), dtype="float32")
        layer(x, training=True, mask=np.array([False, False]))
        self.assertTrue(
            np.isfinite(ops.convert_to_numpy(layer.moving_mean)).all()
        )
