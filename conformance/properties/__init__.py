"""One function per requirement, a module per theme; what they share is in ``support``.

``observations`` has the functions of MAY rows, which only observe.

Each function takes a ``Subject`` and generated values, acts, asks the oracle and the bounds,
and makes its checks. It has no ``test_`` prefix: the plugin collects by requirement, whatever
naming rules the user's project has for its own tests.
"""

from __future__ import annotations

from importlib import import_module

from conformance.properties.support.property import PROPERTIES, Property
from conformance.requirements import THEMES

__all__ = ["PROPERTIES", "Property"]

for _theme in (*THEMES, "observations"):
    import_module(f"conformance.properties.{_theme}")
