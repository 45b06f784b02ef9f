"""The form in which operations and results travel between processes.

A message is the length of a header, in four bytes, little-endian; the header, JSON; and the
buffers of arrays, one after the other. The header is ``[content, sizes]``: the sizes are those of
the buffers, in bytes. In the content, an object with one of these keys stands for another value:
``a`` for an array, with its dtype and shape; ``r`` for a reference, with its number; ``g`` for an
argument in a certain form, with the form and the value; ``n`` for a result that is not numeric,
with the name of its type; and ``d`` for a dictionary. Nothing in a message is executed.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from conformance.adapters.operations.values import ATOMS, Given, NotNumeric, Ref

LENGTH = 4
"""Bytes of the length of a header."""

_DTYPE = re.compile(r"[<>|][biufc]\d\d?")
"""The dtypes that an array may have, besides those of ``ml_dtypes``."""

_ML_DTYPES = {
    name: np.dtype(scalar)
    for name, scalar in vars(ml_dtypes).items()
    if isinstance(scalar, type) and issubclass(scalar, np.generic)
}
"""The dtypes, such as bfloat16, that NumPy does not know by name."""


class WireError(Exception):
    """A message that does not follow the format."""


def encode(content: Any) -> bytes:
    """Return a message.

    Args:
        content: Arrays, plain values, ``Ref``, ``Given`` and ``NotNumeric``, also in lists, tuples
            and dictionaries.
    """
    buffers: list[bytes] = []
    packed = _pack(content, buffers)
    header = json.dumps([packed, [len(each) for each in buffers]], separators=(",", ":")).encode()
    return b"".join((len(header).to_bytes(LENGTH, "little"), header, *buffers))


def sizes_of(header: bytes) -> tuple[Any, list[int]]:
    """Return the content of a header, and the sizes of the buffers that follow it.

    Raises:
        WireError: It is not a header.
    """
    try:
        content, sizes = json.loads(header)
        if not all(type(size) is int and size >= 0 for size in sizes):
            raise WireError("a size is not a number of bytes")
    except (ValueError, TypeError, RecursionError) as error:
        raise WireError(str(error)) from error
    return content, sizes


def decode(content: Any, buffers: list[Any]) -> Any:
    """Return the value that a header and its buffers stand for; arrays are copies.

    Raises:
        WireError: They stand for none.
    """
    left = buffers[::-1]
    try:
        value = _unpack(content, left)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise WireError(str(error)) from error
    if left:
        raise WireError("there are more buffers than arrays")
    return value


def _pack(value: Any, buffers: list[bytes]) -> Any:
    kind = type(value)
    if kind in ATOMS:
        return value
    if kind is np.ndarray:
        name = _name_of(value.dtype)
        if name is None:
            return {"n": "ndarray"}
        buffers.append(value.tobytes())
        return {"a": [name, value.shape]}
    if kind is list or kind is tuple:
        return [each if type(each) in ATOMS else _pack(each, buffers) for each in value]
    if kind is dict:
        return {"d": [[name, _pack(each, buffers)] for name, each in value.items()]}
    if kind is Ref:
        return {"r": value.number}
    if kind is Given:
        return {"g": [value.form, _pack(value.value, buffers)]}
    if kind is NotNumeric:
        return {"n": value.type_name}
    return _pack_subclass(value, buffers)


def _pack_subclass(value: Any, buffers: list[bytes]) -> Any:
    """Return what stands for a value of a class that derives from one that can travel."""
    bases: tuple[Any, ...] = (np.ndarray, bool, int, float, str, list, tuple, dict)
    for base in bases:
        if isinstance(value, base):
            plain = np.asarray(value) if base is np.ndarray else base(value)
            return _pack(plain, buffers)
    msg = f"{type(value).__name__} cannot travel between processes"
    raise WireError(msg)


@cache
def _name_of(dtype: np.dtype[Any]) -> str | None:
    """Return the name of a dtype, with the order of its bytes; None if it is not one of numbers."""
    if dtype.name in _ML_DTYPES:
        return dtype.name
    return dtype.str if _DTYPE.fullmatch(dtype.str) else None


def _unpack(content: Any, buffers: list[Any]) -> Any:
    kind = type(content)
    if kind is list:
        return [each if type(each) in ATOMS else _unpack(each, buffers) for each in content]
    if kind is not dict:
        return content
    ((key, value),) = content.items()
    if key == "a":
        return _array(value[0], value[1], buffers.pop())
    if key == "r":
        return Ref(int(value))
    if key == "g":
        return Given(_unpack(value[1], buffers), str(value[0]))
    if key == "n":
        return NotNumeric(str(value))
    if key == "d":
        return {str(name): _unpack(each, buffers) for name, each in value}
    msg = f"{key!r} stands for nothing"
    raise WireError(msg)


def _array(name: str, shape: list[int], buffer: Any) -> np.ndarray[Any, Any]:
    dtype = _dtype(name)
    size = dtype.itemsize
    for length in shape:
        if type(length) is not int or length < 0:
            raise WireError("a shape has something else than sizes")
        size *= length
    if size != len(buffer):
        raise WireError("an array has another size than its shape")
    return np.frombuffer(buffer, dtype).reshape(shape).copy()


@lru_cache(64)
def _dtype(name: str) -> np.dtype[Any]:
    if name in _ML_DTYPES:
        return _ML_DTYPES[name]
    if not _DTYPE.fullmatch(name):  # NumPy would parse it as an expression
        msg = f"{name} is not a dtype of numbers"
        raise WireError(msg)
    return np.dtype(name)
