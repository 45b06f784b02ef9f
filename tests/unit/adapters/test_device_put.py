"""Arrays reach JAX as jnp.asarray would convert them."""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from conformance.adapters import device_put
from conformance.adapters.device_put import _COMPILED_FROM, put_on_device

ARRAYS = (
    np.arange(3, dtype=np.float32),
    np.zeros((), np.int32),
    np.ones((2, 3), np.float64),
    np.arange(6, dtype=np.float32).reshape(2, 3).T[::-1],
)


@pytest.mark.parametrize("times", [1, _COMPILED_FROM + 1])
def test_the_arrays_are_those_of_asarray(times: int):
    """Values, dtype, weak type and device are the same, before and after shapes recur."""
    for _ in range(times):
        found = put_on_device(*ARRAYS)
    wanted = tuple(map(jnp.asarray, ARRAYS))
    chex.assert_tree_is_on_device(found, device=wanted[0].device)
    chex.assert_trees_all_equal_shapes_and_dtypes(found, wanted)
    chex.assert_trees_all_equal(found, wanted)
    for got, one in zip(found, wanted, strict=True):
        assert (got.weak_type, got.committed) == (one.weak_type, one.committed)


def test_a_transfer_is_traced_once_for_each_set_of_shapes(monkeypatch):
    """Shapes that recur share one compiled program; other shapes take another one."""
    chex.clear_trace_counter()
    traced = chex.assert_max_traces(lambda *values: values, n=1)
    monkeypatch.setattr(device_put, "_transfer", jax.jit(traced))
    for _ in range(_COMPILED_FROM + 5):
        put_on_device(np.ones((11, 2), np.float32), np.ones(2, np.float32))
    for _ in range(_COMPILED_FROM - 1):
        put_on_device(np.ones((12, 2), np.float32), np.ones(2, np.float32))
    with pytest.raises(AssertionError, match="traced > 1 times"):
        put_on_device(np.ones((12, 2), np.float32), np.ones(2, np.float32))


def test_later_changes_of_an_array_do_not_reach_jax():
    """A placed array behaves as a copy."""
    for _ in range(_COMPILED_FROM + 1):
        mine = np.zeros((7,), np.float32)
        (theirs,) = put_on_device(mine)
        before = np.array(theirs)
        mine += 1
        np.testing.assert_array_equal(theirs, before)


@pytest.mark.parametrize("disabled", [False, True])
def test_values_may_be_traced_and_compilation_disabled(disabled: bool):
    """A tracer is let through among arrays; without compilation arrays are arrays all the same."""
    with jax.disable_jit(disabled):
        assert all(isinstance(each, jax.Array) for each in put_on_device(*ARRAYS))

    def both(x):
        traced, constant = put_on_device(x, ARRAYS[0])
        return traced + constant

    np.testing.assert_array_equal(jax.jit(both)(ARRAYS[0]), 2 * ARRAYS[0])
    np.testing.assert_array_equal(jax.grad(lambda x: both(x).sum())(ARRAYS[0]), np.ones(3))


def test_placing_can_be_traced():
    """Under a transform, arrays become values of that transform."""
    for _ in range(_COMPILED_FROM + 1):
        shape = jax.eval_shape(lambda: put_on_device(ARRAYS[0])[0])
        assert shape.shape == (3,)
