"""A property-based conformance suite for Batch Normalization layers in flax NNX.

Data flows one way: ``strategies`` draw a case, a ``Subject`` builds the layer and acts, a
property compares what came out with the ``oracle`` under the ``bounds`` by way of ``checks``;
a ``Trial`` turns that into a ``Verdict``, and verdicts make a ``Report``.

Importing this package imports neither jax nor NumPy nor Hypothesis.
"""

from __future__ import annotations

from conformance.adapters.domain import Options, Precision, Wider
from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config, Layer
from conformance.frontends.testing import conformance_tests, sequence_machine
from conformance.requirements import REQUIREMENTS, Capability, Level, Requirement
from conformance.requirements.deviations import Deviation

__all__ = [
    "REQUIREMENTS",
    "AdapterError",
    "Capability",
    "Config",
    "Deviation",
    "Implementation",
    "Layer",
    "Level",
    "Options",
    "Precision",
    "Requirement",
    "Wider",
    "__version__",
    "conformance_tests",
    "sequence_machine",
]

__version__ = "0.1.0"
