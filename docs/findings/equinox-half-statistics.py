"""equinox.nn.BatchNorm, mode="batch": statistics of a 16-bit input are computed in 16 bits.

They are stored as float32 after the rounding.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", mode="batch", momentum=0.5)
x = jnp.array([[100.0], [101.0], [101.0]], jnp.bfloat16)
call = jax.vmap(layer, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
y, state = call(x, state)
half, _ = state.get(layer.batch_state_index)  # momentum times 0 and half of the mean
print("mean of the batch", 2 * half, "instead of", np.asarray(x, np.float64).mean())
print("y", y.ravel(), "instead of [-1.414 0.707 0.707]")
