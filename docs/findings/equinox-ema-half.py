"""equinox.nn.BatchNorm, mode="ema": training on a 16-bit input raises.

The call selects between the statistics of the batch, which have 16 bits, and the average, which is
float32; jax.lax.select accepts only one dtype.
"""

import equinox as eqx
import jax
import jax.numpy as jnp

for mode in ("batch", "ema"):
    layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", mode=mode)
    x = jnp.array([[0.0], [1.0]], jnp.bfloat16)
    call = jax.vmap(layer, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    try:
        y, state = call(x, state)
        print(f"{mode}: y in {y.dtype}")
    except TypeError as error:
        print(f"{mode}: TypeError:", str(error).partition("(")[0])
