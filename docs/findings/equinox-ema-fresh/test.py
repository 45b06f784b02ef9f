import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.mark.parametrize("mode", ("ema", "batch"))
def test_batch_norm_inference_before_training(mode):
    bn, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(
        1, "batch", mode=mode, inference=True
    )
    x = jnp.array([[0.0], [1.0]])
    vbn = jax.vmap(bn, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    out, _ = vbn(x, state)
    assert np.allclose(out, x, atol=1e-4)
