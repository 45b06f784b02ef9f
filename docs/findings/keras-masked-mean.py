"""keras.layers.BatchNormalization on JAX: a masked mean is divided by the count + 1e-7.

If one row counts, y differs from beta, and the variance from 0.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np

layer = keras.layers.BatchNormalization(momentum=0.0)
x = np.full((2, 2), [10000.0, 0.0], np.float32)
y = layer(x, training=True, mask=np.array([True, False]))
print("y of the row that counts", np.asarray(y)[0])
print("mean", layer.moving_mean.value, "variance", layer.moving_variance.value)
