"""keras.layers.BatchNormalization: the gradient of a loss over the rows that a mask keeps."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras
import numpy as np

x = jnp.array([[jnp.nan, 0.0], [0.0, 0.0], [1.0, 1.0]])
mask = jnp.array([False, True, True])
layer = keras.layers.BatchNormalization()
layer.build(x.shape)


def loss(x):
    trained = [variable.value for variable in layer.trainable_variables]
    kept = [variable.value for variable in layer.non_trainable_variables]
    y, _ = layer.stateless_call(trained, kept, x, training=True, mask=mask)
    return jnp.where(mask[:, None], y, 0).sum()


gradient = np.abs(jax.grad(loss)(x)).round(3).tolist()
print("expected", np.zeros((3, 2)).tolist(), "as the size of the gradient")
print("got     ", gradient, "as the size of the gradient")
