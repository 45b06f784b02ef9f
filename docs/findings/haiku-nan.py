"""haiku.BatchNorm: mean(x²) − mean(x)² is not clipped; below −ε, the root is NaN."""

import haiku as hk
import jax
import jax.numpy as jnp


def call(x, is_training):
    return hk.BatchNorm(True, True, decay_rate=0.9, eps=1e-5)(x, is_training)


layer = hk.transform_with_state(call)
x = jnp.array([[1000.0], [1000.3], [1000.3]])
params, state = layer.init(jax.random.key(0), x, True)
y, state = layer.apply(params, state, None, x, True)
print("y", y.ravel())
print("variance", state["batch_norm/~/var_ema"]["average"].ravel())
