"""equinox.nn.BatchNorm(mode="batch"): statistics of 100, 101, 101, all exact in bfloat16."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", mode="batch", momentum=0.5)
x = jnp.array([[100.0], [101.0], [101.0]], jnp.bfloat16)
call = jax.vmap(layer, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
y, state = call(x, state)
half, _ = state.get(layer.batch_state_index)  # momentum times 0 and half of the mean
print(f"expected mean {302 / 3:.2f}")
print(f"got      mean {2 * half[0]:.2f}")
print("expected y [-1.41  0.71  0.71]")
print("got      y", np.asarray(y, np.float32).ravel().round(2))
