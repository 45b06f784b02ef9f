import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.mark.parametrize("dtype", (jnp.bfloat16, jnp.float16))
def test_batch_norm_half_precision_statistics(dtype):
    bn, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(
        1, "batch", mode="batch", momentum=0.5
    )
    x = jnp.array([[100.0], [101.0], [101.0]], dtype)
    vbn = jax.vmap(bn, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    out, state = vbn(x, state)
    hidden_mean, _ = state.get(bn.batch_state_index)
    assert np.allclose(2 * hidden_mean, 302 / 3, rtol=1e-6)
    expected = np.array([-np.sqrt(2), np.sqrt(0.5), np.sqrt(0.5)])
    assert np.allclose(out.astype(jnp.float32).ravel(), expected, rtol=1e-2)
