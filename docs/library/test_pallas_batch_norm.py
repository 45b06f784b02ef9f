"""The test of the kernel: any batch, every output, and no tolerance to choose."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pallas_batch_norm import batch_norm, batch_norm_backward

from conformance import bounds
from conformance.strategies import cases

SHAPES = st.sampled_from([(2, 1), (1, 2), (65, 3), (200, 2)])  # each is compiled


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@settings(deadline=None, max_examples=15)
@given(case=cases(SHAPES, eps=1e-5))
def test_the_kernel_is_within_its_bounds(case, dtype):
    """Outputs, saved statistics and gradients, forward and backward."""
    x, gamma, beta = jnp.asarray(case.x, dtype), case.state.gamma, case.state.beta
    if not np.isfinite(np.asarray(x, np.float32)).all():
        return  # beyond the range of float16
    expected = bounds.batch_norm(x, gamma, beta, 1e-5)
    y, mean, rstd = batch_norm(x, gamma, beta, 1e-5)
    expected.y.check(y, "y")
    expected.mean.check(mean, "mean")
    expected.rstd.check(rstd, "rstd")

    cotangent = jnp.asarray(np.random.default_rng(0).normal(size=x.shape), dtype)
    gradients = expected.gradients(cotangent)
    dx, dgamma, dbeta = batch_norm_backward(cotangent, x, gamma, mean, rstd)
    gradients.x.check(dx, "dx")
    gradients.gamma.check(dgamma, "dgamma")
    gradients.beta.check(dbeta, "dbeta")
