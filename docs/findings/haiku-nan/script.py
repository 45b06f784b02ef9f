"""haiku.BatchNorm: y and the average of the variance after a float32 batch of mean about 1000."""

import haiku as hk
import jax.numpy as jnp
import numpy as np


def layer(x, is_training):
    return hk.BatchNorm(True, True, decay_rate=0.9, eps=1e-5)(x, is_training)


call = hk.without_apply_rng(hk.transform_with_state(layer))
x = jnp.array([[1000.0], [1000.3], [1000.3]])
params, state = call.init(None, x, True)
y, state = call.apply(params, state, x, True)
exact = np.asarray(x, np.float64)
right = (exact - exact.mean()) / np.sqrt(exact.var() + 1e-5)
print("expected y", right.ravel().round(2))
print("got      y", np.asarray(y, np.float64).ravel().round(2))
print(f"expected variance {exact.var():.3f}")
print(f"got      variance {state['batch_norm/~/var_ema']['average'].item():.3f}")
