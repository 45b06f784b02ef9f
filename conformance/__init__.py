"""A property-based conformance suite for Batch Normalization layers in flax NNX.

Data flows one way: ``strategies`` generate a case, a ``Subject`` builds the layer and acts on it,
a property compares the results with the ``oracle`` within the ``bounds``; the ``engine`` turns
that into a ``Verdict``, and verdicts make a ``Report``.

Public names are imported on first use (PEP 562): importing this package imports neither pytest
nor JAX, NumPy or Hypothesis.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.adapters.domain import Options, Precision, Wider
    from conformance.adapters.errors import AdapterError
    from conformance.adapters.implementation import Implementation
    from conformance.adapters.protocols import Config, Layer
    from conformance.frontends.api import judge
    from conformance.frontends.testing import conformance_tests, sequence_machine
    from conformance.report.judgement import Report
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
    "Report",
    "Requirement",
    "Wider",
    "__version__",
    "conformance_tests",
    "judge",
    "sequence_machine",
]

__version__ = "0.1.0"

_PUBLIC = {
    "adapters.domain": ("Options", "Precision", "Wider"),
    "adapters.errors": ("AdapterError",),
    "adapters.implementation": ("Implementation",),
    "adapters.protocols": ("Config", "Layer"),
    "frontends.api": ("judge",),
    "frontends.testing": ("conformance_tests", "sequence_machine"),
    "report.judgement": ("Report",),
    "requirements": ("REQUIREMENTS", "Capability", "Level", "Requirement"),
    "requirements.deviations": ("Deviation",),
}
"""The public names by the module that defines them."""

_MODULES = {name: module for module, names in _PUBLIC.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names as well, imported or not."""
    return sorted({*globals(), *__all__})
