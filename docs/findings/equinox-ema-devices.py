"""equinox.nn.BatchNorm, mode="ema": a training call on several devices raises under jax.jit.

The flag that records the first batch is stored as a constant, and its type differs from that of a
value inside jax.shard_map.
"""

import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import equinox as eqx
import jax
import jax.numpy as jnp

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
    try:
        y, _ = jax.jit(call)(x, state)
        print(f"{mode}: y =", y.ravel())
    except ValueError as error:
        print(f"{mode}: ValueError:", error)
