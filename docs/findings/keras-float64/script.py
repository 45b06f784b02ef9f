"""keras.layers.BatchNormalization(dtype="float64") with the JAX backend, x64 enabled."""

import os

os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}

import keras
import numpy as np

x = np.array([[1 / 3], [2 / 3], [1.0]])
layer = keras.layers.BatchNormalization(dtype="float64", epsilon=1e-5, momentum=0.0)
y = np.asarray(layer(x, training=True))
right = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
print(f"expected y {right[0, 0]:.12f} in float64")
print(f"got      y {y[0, 0]:.12f} in {y.dtype}")
print(f"expected moving mean {x.mean():.12f}")
print(f"got      moving mean {np.asarray(layer.moving_mean.value)[0]:.12f}")
