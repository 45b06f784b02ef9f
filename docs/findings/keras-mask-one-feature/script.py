"""keras.layers.BatchNormalization with a mask, on two features and on one."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np

for features in (2, 1):
    layer = keras.layers.BatchNormalization()
    x = np.zeros((3, features), np.float32)
    print("expected y of shape", x.shape)
    try:
        y = layer(x, training=True, mask=np.array([True, True, False]))
        print("got      y of shape", y.shape)
    except IndexError as error:
        print("got      IndexError:", str(error).splitlines()[0])
