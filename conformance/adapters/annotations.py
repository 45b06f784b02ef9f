"""The annotations of what users write, which may be impossible to evaluate."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, get_type_hints


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function, as far as they can be evaluated."""
    with suppress(Exception):  # of annotations that name what is not there
        return get_type_hints(function)
    return {}
