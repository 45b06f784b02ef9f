"""equinox.nn.BatchNorm(mode="ema"): inference with a layer that was never trained."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", mode="ema", inference=True)
call = jax.vmap(layer, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
y, _ = call(jnp.array([[0.0], [1.0]]), state)
print("expected [0. 1.]")
print("got     ", np.asarray(y).ravel().round(2))
