"""equinox.nn.BatchNorm(mode="batch"): the variance that inference uses after equal batches."""

import equinox as eqx
import jax
import jax.numpy as jnp

x = jnp.array([[4.0], [1.0]])  # of variance 2.25
for calls in (1, 10, 100):
    layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", mode="batch")

    def call(x, state, inference, layer=layer):
        mapped = jax.vmap(
            lambda row, state: layer(row, state, inference=inference),
            in_axes=(0, None),
            out_axes=(0, None),
            axis_name="batch",
        )
        return mapped(x, state)

    train = jax.jit(lambda x, state, call=call: call(x, state, False))
    for _ in range(calls):
        _, state = train(x, state)
    y, _ = call(x, state, True)
    used = 9 / float(y[0, 0] - y[1, 0]) ** 2
    print("expected 2.25 after", calls)
    print(f"got      {used:.2f} after", calls)
