"""equinox.nn.BatchNorm(mode="batch"): with momentum=1 evaluation divides by 1 − 1^k = 0."""

import equinox as eqx
import jax
import jax.numpy as jnp

layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", momentum=1.0, mode="batch")


def call(x, state, inference):
    mapped = jax.vmap(
        lambda row, state: layer(row, state, inference=inference),
        in_axes=(0, None),
        out_axes=(0, None),
        axis_name="batch",
    )
    return mapped(x, state)


_, state = call(jnp.zeros((1, 1)), state, False)
print("y in evaluation", call(jnp.zeros((1, 1)), state, True)[0].ravel())
