"""keras.layers.BatchNormalization on JAX: NaN in a masked row reaches other rows' gradients."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras

x = jnp.array([[jnp.nan, 0.0], [0.0, 0.0], [1.0, 1.0]])
mask = jnp.array([False, True, True])
layer = keras.layers.BatchNormalization()
layer.build(x.shape)


def loss(x):
    trained = [variable.value for variable in layer.trainable_variables]
    kept = [variable.value for variable in layer.non_trainable_variables]
    y, _ = layer.stateless_call(trained, kept, x, training=True, mask=mask)
    return jnp.where(mask[:, None], y, 0).sum()


value, gradient = jax.value_and_grad(loss)(x)
print(f"loss {value:.3g}, its gradient")
print(gradient)
