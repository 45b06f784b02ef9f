"""equinox.nn.BatchNorm on a bfloat16 batch, in both modes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

for mode in ("batch", "ema"):
    layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", mode=mode)
    x = jnp.array([[0.0], [1.0]], jnp.bfloat16)
    call = jax.vmap(layer, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    print("expected [-1.  1.] with mode", mode)
    try:
        y, state = call(x, state)
        print("got     ", np.asarray(y, np.float32).ravel().round(2), "with mode", mode)
    except TypeError as error:
        print("got      TypeError:", str(error).partition("(")[0])
