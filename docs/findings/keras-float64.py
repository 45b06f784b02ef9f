"""keras.layers.BatchNormalization on JAX: dtype="float64" computes in float32."""

import os

os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}

import keras
import numpy as np

x = np.array([[1 / 3], [2 / 3], [1.0]])
layer = keras.layers.BatchNormalization(dtype="float64", epsilon=1e-5, momentum=0.0)
y = np.asarray(layer(x, training=True))
mean = np.asarray(layer.moving_mean.value)
print("dtypes", y.dtype, mean.dtype)
print("error of y", abs(y - (x - x.mean()) / np.sqrt(x.var() + 1e-5)).max())
print("error of the moving mean", abs(mean - x.mean()).max())
