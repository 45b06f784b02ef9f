"""equinox.nn.BatchNorm on two devices, under jax.jit, in both modes."""

import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

mesh = jax.sharding.Mesh(jax.devices(), ("devices",))
x = jnp.arange(4.0).reshape(4, 1)
for mode in ("batch", "ema"):
    layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, ("rows", "devices"), mode=mode)
    rows = jax.vmap(layer, axis_name="rows", in_axes=(0, None), out_axes=(0, None))
    call = jax.shard_map(
        rows,
        mesh=mesh,
        in_specs=(jax.P("devices"), jax.P()),
        out_specs=(jax.P("devices"), jax.P()),
        check_vma=False,  # else the mean over an axis of vmap and one of devices is refused
    )
    print("expected [-1.342 -0.447  0.447  1.342] with mode", mode)
    try:
        y, _ = jax.jit(call)(x, state)
        print("got     ", np.asarray(y).ravel().round(3), "with mode", mode)
    except ValueError as error:
        print("got      ValueError:", error)
