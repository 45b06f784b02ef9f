"""Source text that recreates values bit for bit."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.numerics.state import State

_WIDTH = 96


def spell_dtype(dtype: Any) -> str:
    """Return source text for a dtype: bfloat16 is not NumPy's own."""
    return f"{'np' if hasattr(np, str(dtype)) else 'jnp'}.{dtype}"


def written(value: Any) -> str:
    """Return source text for numbers, arrays, states, and lists and tuples of them.

    The text uses ``np``, ``inf`` and ``nan``.
    """
    if isinstance(value, State):
        return written(value.arrays())
    if isinstance(value, Mapping):
        lines = ",\n".join(f'    "{name}": {written(item)}' for name, item in value.items())
        return f"{{\n{lines},\n}}"
    if isinstance(value, np.ndarray):
        if not value.size:
            return f"np.zeros({value.shape}, {spell_dtype(value.dtype)})"
        numbers = _nested(value)
        dtype = spell_dtype(value.dtype)
        text = f"np.array({numbers}, {dtype})"
        return text if len(text) <= _WIDTH else f"np.array({_wrapped(numbers)}, {dtype})"
    if isinstance(value, np.generic):
        return f"{spell_dtype(value.dtype)}({_shortest(value)})"
    if isinstance(value, list | tuple):
        inside = ", ".join(written(item) for item in value)
        one = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{one})"
    return repr(value)


def _nested(array: np.ndarray[Any, Any]) -> str:
    if array.ndim == 0:
        return _shortest(array[()])
    return f"[{', '.join(_nested(item) for item in array)}]"


def _shortest(value: Any) -> str:
    """Return the shortest text that is read as the same number, including the sign of zero."""
    if not isinstance(value, np.floating) or not np.isfinite(value):
        return repr(value.item())
    text = repr(float(str(value)))
    same = np.array(float(text), value.dtype).tobytes() == value.tobytes()
    return text if same else repr(value.item())


def _wrapped(numbers: str) -> str:
    """Break a long list into lines of at most the permitted width, between rows."""
    inside = numbers[1:-1]
    if inside.startswith("["):
        inside = inside.replace("], [", "],\n[").replace(", ", ",\0").replace("\n", " ")
    lines = textwrap.wrap(inside, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "[\n" + textwrap.indent("\n".join(lines), "    ").replace("\0", " ") + "\n]"
