"""equinox.nn.BatchNorm(mode="ema"): statistics start at 0 and 0 until the first batch."""

import equinox as eqx
import jax
import jax.numpy as jnp

layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", momentum=0.75, mode="ema")


def call(x, state, inference):
    mapped = jax.vmap(
        lambda row, state: layer(row, state, inference=inference),
        in_axes=(0, None),
        out_axes=(0, None),
        axis_name="batch",
    )
    return mapped(x, state)


print("first evaluation of 0 and 1", call(jnp.array([[0.0], [1.0]]), state, True)[0].ravel())
_, state = call(jnp.array([[0.0], [-2.0]]), state, False)
print("running mean after one batch of mean -1", state.get(layer.ema_state_index)[0])
