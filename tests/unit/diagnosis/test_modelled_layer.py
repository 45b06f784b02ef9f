"""A modelled layer computes what the reference model does, with or without a mistake."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.adapters.protocols import Config
from conformance.diagnosis.fault_models import ALTERNATIVES
from conformance.diagnosis.modelled_layer import ModelledForward, ModelledLayer, modelled
from conformance.numerics import oracle
from conformance.numerics.state import State

X = np.array([[1, 2], [4, 8], [-3, 5]], np.float32)


def test_without_a_mistake_the_layer_is_the_oracle():
    """A training call returns the oracle's results, rounded to float32."""
    config = Config(features=2, momentum=0.75, eps=0.5)
    layer = ModelledLayer(config, {})
    truth = oracle.train(config, State.fresh(2), X)

    np.testing.assert_allclose(layer(X, False), truth.y, rtol=1e-6)
    np.testing.assert_allclose(layer.read()["running_var"], truth.running_var, rtol=1e-6)


def test_without_a_mistake_the_forward_function_is_the_oracle():
    """Each call is one of a fresh layer, flattened row by row."""
    truth = oracle.train(Config(features=2), State.fresh(2), X).y.ravel()
    forward = ModelledForward({})

    for _ in range(2):
        np.testing.assert_allclose(forward(0.0, X, 0.0), truth, rtol=1e-6)


def test_a_mistake_may_overwrite_the_array_of_the_caller():
    """The array holds what the layer computed in it; another layer leaves it alone."""
    x = X.copy()
    modelled("centred-in-place").build(Config(features=2))(x, False)
    np.testing.assert_allclose(x, X - X.mean(axis=0), rtol=1e-6)

    x = X.copy()
    modelled("eps-outside").build(Config(features=2))(x, False)
    assert np.array_equal(x, X)


def test_only_a_forward_function_that_remembers_keeps_anything():
    """A mistake of a layer that remembers earlier calls has no forward function."""
    kept = modelled("layer-cached").forward
    fresh = kept(0.0, X, 1.0)
    kept(0.0, X, 0.0)
    assert not np.array_equal(kept(0.0, X, 1.0), fresh)
    assert modelled("lagging-used").forward is None


def test_a_mistake_that_raises_raises():
    """The predicted exception is an exception of the layer."""
    with pytest.raises(ValueError, match="the modelled call raises"):
        modelled("float-seed").forward(3.5, X, 1.0)


def test_gradients_have_no_modelled_layer():
    """A mistake of the backward pass cannot be made by a layer in NumPy."""
    backward = next(a.id for a in ALTERNATIVES.values() if a.backward)
    with pytest.raises(ValueError, match="concerns gradients"):
        modelled(backward)
