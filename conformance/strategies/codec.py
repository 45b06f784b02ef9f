"""Lossless JSON form of drawn values, from which a counterexample is replayed.

The form keeps dtypes, shapes, signs of zero and the kind of each value, and loses nothing but the
payload of NaN. ``case.literals`` is the form for readers. The names of drawn classes and fields
are part of the form, so they are in stored reports and waivers and must not change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import numpy as np

from conformance.adapters import protocols
from conformance.numerics import state
from conformance.requirements.finding import Finding, finite_or_text
from conformance.requirements.verdict import Violation
from conformance.strategies import (
    case,
    cotangents,
    distinct,
    domain_cases,
    lookalikes,
    palette_cases,
    precision_cases,
    programs,
    shape_grid,
    tall,
    targeted,
)
from conformance.strategies.case import literals

_KIND = "$"
_MODULES = (
    *(
        case,
        cotangents,
        distinct,
        domain_cases,
        lookalikes,
        palette_cases,
        precision_cases,
        programs,
    ),
    *(protocols, shape_grid, state, tall, targeted),
)
"""Where the classes of drawn values are defined."""


class CodecError(Exception):
    """A value cannot be encoded, or a form cannot be decoded; the message says which."""


def encode(value: Any) -> Any:
    """Return the lossless form of a drawn value, as JSON values.

    Raises:
        CodecError: The value has a type that no strategy draws.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        shown = finite_or_text(value)
        return {_KIND: "float", "value": shown} if isinstance(shown, str) else shown
    if isinstance(value, np.ndarray | np.generic):
        flat = [finite_or_text(item) for item in np.ravel(value).tolist()]
        dtype = str(value.dtype)
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {_KIND: kind, "dtype": dtype, "shape": list(value.shape), "values": flat}
    name = type(value).__name__
    if name in _classes() and type(value) is _classes()[name]:
        encoded = {field: encode(getattr(value, field)) for field in _fields_of(type(value))}
        return {_KIND: name, "fields": encoded}
    if isinstance(value, tuple | list):
        return {_KIND: type(value).__name__, "items": [encode(item) for item in value]}
    msg = f"a value of type {name} has no exact form"
    raise CodecError(msg)


def decode(data: Any) -> Any:
    """Return the value of a form, the inverse of ``encode``.

    Raises:
        CodecError: The form is not one that ``encode`` returns.
    """
    if not isinstance(data, dict):
        return data
    try:
        return _decode(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{data.get(_KIND)!r} cannot be read: {error}"
        raise CodecError(msg) from error


def _decode(data: dict[str, Any]) -> Any:
    kind = data[_KIND]
    if kind == "float":
        return float(data["value"])
    if kind in {"array", "scalar"}:
        numbers = [float(v) if isinstance(v, str) else v for v in data["values"]]
        array = np.array(numbers, np.dtype(data["dtype"])).reshape(data["shape"])
        return array if kind == "array" else array[()]
    if kind in {"tuple", "list"}:
        items = [decode(item) for item in data["items"]]
        return tuple(items) if kind == "tuple" else items
    given = {name: decode(item) for name, item in data["fields"].items()}
    return _classes()[kind](**given)


@cache
def _classes() -> Mapping[str, type]:
    """Return the classes of drawn values by name: dataclasses and named tuples."""
    return {
        name: value
        for module in _MODULES
        for name, value in vars(module).items()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and (is_dataclass(value) or hasattr(value, "_fields"))
    }


def _fields_of(kind: type) -> tuple[str, ...]:
    if hasattr(kind, "_fields"):
        return tuple(kind._fields)
    drawn = (field.name for field in fields(kind) if field.metadata.get("drawn", True))
    return tuple(drawn)


def violation_id(requirement: str, values: Mapping[str, Any]) -> str:
    """Return the short id of a counterexample, the same in every run.

    Args:
        requirement: The id of the requirement.
        values: The lossless forms of the drawn values, by name.
    """
    canonical = json.dumps([requirement, values], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:6]
    return f"{requirement.removeprefix('BN-').replace('-', '').lower()}-{digest}"


def make_violation(
    requirement: str,
    finding: Finding,
    drawn: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
) -> Violation:
    """Return the violation for a finding on drawn values.

    Args:
        requirement: The id of the requirement.
        finding: What was found.
        drawn: The drawn values, by name.
        inputs: Their literals, if the caller has them already.
    """
    values = {name: encode(value) for name, value in drawn.items()}
    return Violation(
        finding=finding,
        inputs=literals(dict(drawn)) if inputs is None else dict(inputs),
        values=values,
        id=violation_id(requirement, values),
    )
