"""haiku.BatchNorm: running statistics have no start value; the first batch replaces them."""

import haiku as hk
import jax
import jax.numpy as jnp


def call(x, is_training):
    return hk.BatchNorm(True, True, decay_rate=0.75, eps=1e-5)(x, is_training)


layer = hk.transform_with_state(call)
params, state = layer.init(jax.random.key(0), jnp.zeros((1, 1)), True)
y, _ = layer.apply(params, state, None, jnp.array([[0.0], [1.0]]), False)
print("first evaluation", y.ravel())
_, state = layer.apply(params, state, None, jnp.array([[0.0], [-2.0]]), True)
print("running mean after one batch of mean -1", state["batch_norm/~/mean_ema"]["average"].ravel())
