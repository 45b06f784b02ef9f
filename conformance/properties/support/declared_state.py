"""What a declared dtype of the running statistics makes of the states that are drawn."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from conformance.adapters.protocols import STATISTICS
from conformance.numerics.conventions import Conventions
from conformance.numerics.state import State


def as_stored(drawn: dict[str, Any], conventions: Conventions) -> dict[str, Any]:
    """Return drawn values whose states have running statistics of the declared dtype.

    So writing loses nothing, and what is read back can be compared bit for bit.
    """
    dtype = conventions.statistics_dtype()
    return drawn if dtype is None else {name: _cast(value, dtype) for name, value in drawn.items()}


def _cast(value: Any, dtype: str) -> Any:
    if isinstance(value, State):
        arrays = {name: getattr(value, name).astype(np.dtype(dtype)) for name in STATISTICS}
        return value.replace(**arrays)
    if is_dataclass(value) and not isinstance(value, type):
        inside = {field.name: getattr(value, field.name) for field in fields(value)}
        return replace(value, **{name: _cast(each, dtype) for name, each in inside.items()})
    if isinstance(value, tuple):
        parts = [_cast(each, dtype) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [_cast(each, dtype) for each in value]
    return value
