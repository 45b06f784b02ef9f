"""Names of arrays that are a part of what an attribute holds: "stats[0]", "stats['mean']"."""

from __future__ import annotations

import re
from ast import literal_eval
from typing import Any

import jax

Key = tuple[int | str, ...]
"""The index of a row, or the key of an entry; empty for the whole."""

_PART = re.compile(r"(.+?)\[(\d+|'\w+')\]")


def split_part(name: str) -> tuple[str, Key]:
    """Return the name of an attribute, and which part of its value an array is.

    Args:
        name: "mean" for an attribute, "stats[0]" for a row of one, or the first of several values,
            "stats['mean']" for an entry.
    """
    found = _PART.fullmatch(name)
    return (found[1], (literal_eval(found[2]),)) if found else (name, ())


def name_of_part(attribute: str, key: int | str) -> str:
    """Return the name of a part of an attribute."""
    return f"{attribute}[{key!r}]"


def last_name(path: str) -> str:
    """Return what an array is called: its key in a dictionary, or the name of the attribute."""
    attribute, key = split_part(path)
    return next((each for each in key if isinstance(each, str)), attribute.rpartition(".")[2])


def take_part(value: Any, key: Key) -> Any:
    """Return a part of a value; of an array, a row of its last two axes."""
    if not key:
        return value
    (entry,) = key
    if isinstance(value, jax.ShapeDtypeStruct):
        return value.update(shape=(*value.shape[:-2], value.shape[-1]))
    return value[..., entry, :] if hasattr(value, "shape") else value[entry]


def replace_part(value: Any, key: Key, new: Any) -> Any:
    """Return a value with another part.

    Args:
        value: An array, (2, D) or (L, 2, D), a dictionary or a tuple of arrays.
        key: Which part.
        new: The part, of its shape.
    """
    if not key:
        return new
    (entry,) = key
    if hasattr(value, "shape"):
        return jax.numpy.asarray(value).at[..., entry, :].set(new)
    if isinstance(value, dict):
        return {**value, entry: new}
    parts = [new if place == entry else part for place, part in enumerate(value)]
    return value._make(parts) if hasattr(value, "_make") else type(value)(parts)


def keys_of(value: Any) -> tuple[int | str, ...]:
    """Return the keys of all parts of a value that has several."""
    if hasattr(value, "shape"):
        return tuple(range(value.shape[-2]))
    return tuple(value) if isinstance(value, dict) else tuple(range(len(value)))
