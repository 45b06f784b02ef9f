"""The gallery: faulty implementations, one mistake each.

To add one: a subclass of ``StepwiseBatchNorm`` that overrides a step, in the module of its
family, with a docstring that names the mistake and a ``@fault`` that lists the requirements that
it breaks. Every module of this package is imported, so a new one needs no entry anywhere.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from impl.faulty.record import FAULTS, Fault

__all__ = ["FAULTS", "Fault"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
