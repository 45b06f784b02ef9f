"""The subject compiles each function once."""

from __future__ import annotations

import chex
import numpy as np
import pytest

from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.subject import Subject
from impl.stepwise import StepwiseBatchNorm


def test_a_compiled_call_is_traced_once_for_each_shape():
    """Layers of one configuration and inputs of one shape share a program; other shapes do not."""
    chex.clear_trace_counter()

    class Counted(StepwiseBatchNorm):
        @chex.assert_max_traces(n=1)
        def evaluate(self, x):
            return super().evaluate(x)

    subject = Subject(Implementation.nnx(Counted))
    for value in (1, 2):
        layer = subject.build(Config(features=2))
        y = layer.call_jitted(np.full((4, 2), value, np.float32), evaluate=True)
        assert y.shape == (4, 2)
    with pytest.raises(ViolationFound, match="traced > 1 times"):
        np.asarray(layer.call_jitted(np.ones((5, 2), np.float32), evaluate=True))
