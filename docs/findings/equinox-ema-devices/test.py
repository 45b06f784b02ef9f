import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.mark.parametrize("mode", ("ema", "batch"))
def test_batch_norm_shard_map(mode):
    mesh = jax.sharding.Mesh(jax.devices()[:1], ("devices",))
    bn, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(
        1, ("rows", "devices"), mode=mode
    )
    vbn = jax.vmap(bn, axis_name="rows", in_axes=(0, None), out_axes=(0, None))
    specs = (jax.P("devices"), jax.P())
    sharded = jax.shard_map(
        vbn, mesh=mesh, in_specs=specs, out_specs=specs, check_vma=False
    )
    x = jnp.arange(4.0).reshape(4, 1)
    out, _ = jax.jit(sharded)(x, state)
    expected = (x - x.mean()) / jnp.sqrt(x.var() + 1e-5)
    assert np.allclose(out, expected, atol=1e-5)
