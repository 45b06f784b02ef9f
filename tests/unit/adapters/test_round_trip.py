"""Reading what was written, for every registered implementation."""

from __future__ import annotations

import chex
import numpy as np
import pytest

from conformance.adapters.errors import AdapterError
from conformance.adapters.operations.layer_calls import read as read_copies
from conformance.adapters.protocols import ARRAYS, Config
from conformance.adapters.resolve import find_registered, resolve

FEATURES = 3


def registered_layer(name: str):
    """Return a fresh layer, or skip the test where its framework is not installed."""
    try:
        return resolve(name).build(Config(features=FEATURES))
    except AdapterError as error:
        if "is not installed" not in str(error):
            raise
        pytest.skip(str(error))


def read(layer) -> dict[str, np.ndarray]:
    """Return the four arrays of a layer, as NumPy's."""
    state = arrays(layer)
    return {name: state[name] for name in ARRAYS}


def arrays(layer) -> dict[str, np.ndarray]:
    """Return all arrays that a layer has, as NumPy's, with its count of updates."""
    state = read_copies(layer)
    assert all(isinstance(array, np.ndarray) for array in state.values())
    return state


@pytest.mark.parametrize("name", find_registered())
@pytest.mark.filterwarnings("ignore")  # frameworks warn about themselves
def test_reading_returns_what_was_written(name: str):
    """The tree, its shapes and its dtypes stay; the values are those written, to the bit."""
    layer = registered_layer(name)
    fresh = read(layer)
    values = np.arange(1, 1 + 4 * FEATURES, dtype=np.float32).reshape(4, FEATURES) / 4
    written = dict(zip(ARRAYS, values, strict=True))

    layer.write({name: array.copy() for name, array in written.items()})

    chex.assert_trees_all_equal_shapes_and_dtypes(read(layer), fresh, written)
    chex.assert_trees_all_equal(read(layer), written)


@pytest.mark.parametrize("name", find_registered())
@pytest.mark.filterwarnings("ignore")
def test_what_was_read_is_written_back_unchanged(name: str):
    """Writing the state after a training call changes nothing."""
    layer = registered_layer(name)
    layer(np.arange(12, dtype=np.float32).reshape(4, FEATURES), False)
    before = arrays(layer)

    layer.write({name: array.copy() for name, array in before.items()})

    after = arrays(layer)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, before)
    chex.assert_trees_all_equal(after, before)
