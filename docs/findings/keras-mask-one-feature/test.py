import numpy as np

from keras.src import layers
from keras.src import ops
from keras.src import testing


class BatchNormalizationMaskTest(testing.TestCase):
    def test_mask_with_a_single_feature(self):
        layer = layers.BatchNormalization(momentum=0.0, epsilon=1e-5)
        x = np.array([[0.0], [2.0], [70.0]], dtype="float32")
        mask = np.array([True, True, False])
        y = ops.convert_to_numpy(layer(x, training=True, mask=mask))
        self.assertAllClose(y[:2], [[-1.0], [1.0]], atol=1e-4)
        self.assertAllClose(layer.moving_mean, [1.0], atol=1e-4)
        self.assertAllClose(layer.moving_variance, [1.0], atol=1e-4)
