"""haiku.BatchNorm: statistics and decay rate of a 16-bit input are computed in 16 bits.

A decay rate of 0.999 rounds to 1 in bfloat16, which makes the averages 0/0, even in float32.
"""

import haiku as hk
import jax.numpy as jnp
import numpy as np


def layer(x, is_training):
    return hk.BatchNorm(True, True, decay_rate=0.999)(x, is_training)


call = hk.without_apply_rng(hk.transform_with_state(layer))
x = np.array([[100.0], [101.0], [101.0]], np.float32)
params, state = call.init(None, x, True)
for dtype in (jnp.float32, jnp.bfloat16):
    _, after = call.apply(params, state, jnp.asarray(x, dtype), True)
    mean = after["batch_norm/~/mean_ema"]["average"]
    print(f"x in {jnp.dtype(dtype)}: average of the mean {mean} in {mean.dtype}")
