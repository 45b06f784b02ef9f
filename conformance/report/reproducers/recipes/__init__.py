"""Each recipe writes a requirement's steps as plain code, up to its comparisons.

A recipe is called with a ``Script`` and the arguments of the property. It writes the steps of the
property as plain code, and selects the comparison that failed by its quantity.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from conformance.report.reproducers.recipes.registry import RECIPES, Recipe

__all__ = ["RECIPES", "Recipe"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
