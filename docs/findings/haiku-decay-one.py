"""haiku.BatchNorm: with decay_rate=1 the debiased average is 0/0."""

import haiku as hk
import jax
import jax.numpy as jnp


def call(x, is_training):
    return hk.BatchNorm(True, True, decay_rate=1.0, eps=1e-5)(x, is_training)


layer = hk.transform_with_state(call)
params, state = layer.init(jax.random.key(0), jnp.zeros((2, 1)), True)
_, state = layer.apply(params, state, None, jnp.zeros((2, 1)), True)
print("running mean", state["batch_norm/~/mean_ema"]["average"].ravel())
