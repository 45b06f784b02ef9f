import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.mark.parametrize("dtype", (jnp.bfloat16, jnp.float16))
@pytest.mark.parametrize("mode", ("ema", "batch"))
def test_batch_norm_half_precision_input(dtype, mode):
    bn, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", mode=mode)
    x = jnp.array([[0.0], [1.0]], dtype)
    vbn = jax.vmap(bn, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    out, state = vbn(x, state)
    assert np.allclose(out.astype(jnp.float32).ravel(), [-1, 1], atol=1e-2)
    out, state = vbn(x, state)  # the average of two batches
    assert np.allclose(out.astype(jnp.float32).ravel(), [-1, 1], atol=1e-2)
