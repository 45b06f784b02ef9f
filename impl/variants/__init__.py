"""Correct but unusual implementations: every one of them must conform.

They guard the suite against false accusations. To add one: a subclass of
``StepwiseBatchNorm`` with ``@variant`` in any module of this package; all are imported.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from impl.variants.record import VARIANTS

__all__ = ["VARIANTS"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
