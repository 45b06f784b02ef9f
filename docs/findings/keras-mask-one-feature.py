"""keras.layers.BatchNormalization on JAX: a mask on a single feature raises."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np

for features in (2, 1):
    layer = keras.layers.BatchNormalization()
    x = np.zeros((3, features), np.float32)
    try:
        y = layer(x, training=True, mask=np.array([True, True, False]))
        print(f"{features} features: y of shape {y.shape}")
    except IndexError as error:
        print(f"{features} feature: {type(error).__name__}")
