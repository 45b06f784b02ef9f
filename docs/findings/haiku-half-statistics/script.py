"""haiku.BatchNorm: the average of the mean after a batch of 100, 101, 101, all of them exact."""

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
    print(f"expected {302 / 3:.2f} from {jnp.dtype(dtype)}")
    print(f"got      {mean[0, 0]:.2f} from {jnp.dtype(dtype)}")
