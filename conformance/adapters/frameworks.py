"""Recognizes classes of frameworks by their base class, and pure functions by their arguments."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from conformance.adapters.driven import drive_class, drive_function
from conformance.adapters.framework_class import FRAMEWORKS
from conformance.adapters.function_signature import is_pure_form
from conformance.adapters.implementation import Implementation
from conformance.adapters.recognized import Recognition, write_call


def recognize_class(name: str, found: type) -> Implementation | None:
    """Return a class of a framework as an implementation; None for any other class.

    No framework is imported: that of the class has been.

    Args:
        name: What the user typed, for reports.
        found: The class.

    Raises:
        AdapterError: It is one, and cannot be driven; the message has the line to write.
    """
    for driver, framework in FRAMEWORKS.items():
        base = getattr(sys.modules.get(framework.package), framework.base, None)
        if base is not None and issubclass(found, base):
            options = drive_class(driver, found, {}).found
            return _make(driver, found, name, options)
    return None


def recognize_pure_function(name: str, found: Callable[..., Any]) -> Implementation | None:
    """Return a pure function as an implementation; None for one without running statistics.

    Args:
        name: What the user typed, for reports.
        found: The function.

    Raises:
        AdapterError: It is one, and cannot be driven; the message has the line to write.
    """
    if not is_pure_form(found):
        return None
    return _make("function", found, name, drive_function(found, {}).found)


def _make(
    constructor: str, found: Callable[..., Any], name: str, options: Mapping[str, Any]
) -> Implementation:
    """Return what a line of Python with the options would make."""
    make: Callable[..., Implementation] = getattr(Implementation, constructor)
    line = write_call(constructor, name.rpartition(":")[2].rpartition(".")[2], options)
    return replace(make(found, name=name, **options), recognition=Recognition(line=line))


def as_implementation(name: str, found: Any) -> Implementation:
    """Return an object as the implementation that it was when it was judged, for a script.

    Args:
        name: What the user typed.
        found: A class of a framework, a pure function, an ``Implementation``, or a function that
            returns one.
    """
    if isinstance(found, Implementation):
        return found
    recognize = recognize_class if isinstance(found, type) else recognize_pure_function
    implementation: Implementation = recognize(name, found) or found()
    return implementation
