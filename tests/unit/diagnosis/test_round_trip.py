"""An alternative that is run as a layer is judged wrong, and diagnosed as itself."""

from __future__ import annotations

import numpy as np
import pytest
from support.sampling import exhaustive

from conformance.adapters.protocols import Config
from conformance.diagnosis import diagnose
from conformance.diagnosis.fault_models import ALTERNATIVES
from conformance.diagnosis.modelled_layer import ModelledLayer, modelled
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.numerics import oracle
from conformance.numerics.state import State
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome

SAMPLE = (
    "beta-before-gamma",
    "eps-outside",
    "evaluation-updates",
    "momentum-of-the-new",
    "unbiased-normalization",
    "variance-cap",
)


@pytest.mark.parametrize(
    "identity",
    [n if n in SAMPLE else pytest.param(n, marks=exhaustive) for n in (*SAMPLE, "gamma-sorted")],
)
def test_an_alternative_is_diagnosed_as_itself(identity: str):
    """The layer that makes a mistake is named by it."""
    assert diagnose(modelled(identity)).id == identity


def test_an_alternative_is_judged_as_a_faulty_layer():
    """The modelled layer violates what the gallery's fault of the same name violates."""
    verdict = judge_requirement(
        REQUIREMENTS["BN-EPS-1"], Subject(modelled("eps-outside")), budget()
    )

    assert verdict.outcome is Outcome.VIOLATES


def test_without_a_mistake_the_modelled_layer_is_the_oracle():
    """A training call returns the oracle's results, rounded to float32."""
    config = Config(features=2, momentum=0.75, eps=0.5)
    layer = ModelledLayer(config, {})
    x = np.array([[1, 2], [4, 8], [-3, 5]], np.float32)
    truth = oracle.train(config, State.fresh(2), x)

    np.testing.assert_allclose(layer(x, False), truth.y, rtol=1e-6)
    np.testing.assert_allclose(layer.read()["running_var"], truth.running_var, rtol=1e-6)


def test_gradients_have_no_modelled_layer():
    """A mistake of the backward pass cannot be made by a layer in NumPy."""
    backward = next(a.id for a in ALTERNATIVES.values() if a.backward)
    with pytest.raises(ValueError, match="concerns gradients"):
        modelled(backward)
