"""The known mistakes, one module per step of the computation in which they are made.

Every module of this package is imported, so a new one needs no entry anywhere.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from conformance.diagnosis.fault_model import ALTERNATIVES

__all__ = ["ALTERNATIVES"]

_PREFERENCE = (
    "affine",
    "variance",
    "batch",
    "rows",
    "merging",
    "padding",
    "axes",
    "digits",
    "rooting",
    "averaging",
    "momentum",
    "storing",
    "remembering",
    "starting",
    "modes",
    "evaluation_statistics",
    "evaluating",
    "precision",
    "guards",
    "forwarding",
    "calling",
    "layouts",
    "gaining",
    "gradients",
    "projecting",
    "leaking",
)
"""Of mistakes that fit equally well, the simplest comes first; other modules come last."""

_FOUND = {module.name for module in iter_modules(__path__)}
for _name in (*_PREFERENCE, *sorted(_FOUND.difference(_PREFERENCE))):
    import_module(f"{__name__}.{_name}")
