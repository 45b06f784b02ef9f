"""keras.layers.BatchNormalization: a mask keeps one row, which is then the mean, of variance 0."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np

layer = keras.layers.BatchNormalization(momentum=0.0)
x = np.full((2, 2), [10000.0, 0.0], np.float32)
y = layer(x, training=True, mask=np.array([True, False]))
print("expected y [0. 0.]")
print("got      y", np.asarray(y)[0])
print("expected mean [10000.     0.]")
print("got      mean", np.asarray(layer.moving_mean.value))
