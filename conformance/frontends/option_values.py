"""Values of options that are given as Python, JSON or TOML, rather than as text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from conformance.frontends.options import RunOption

_NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}


def describe_wrong_value(option: RunOption, value: Any) -> str:
    """Return a value that an option cannot have, and what it expects; empty if the type is right.

    Args:
        option: The option.
        value: The value; several values of an option that may be repeated are a list or a tuple.
    """
    if option.multiple and isinstance(value, list | tuple):
        return next(filter(None, (_describe(option, each) for each in value)), "")
    return _describe(option, value)


def _describe(option: RunOption, value: Any) -> str:
    allowed: Any = {float: (int, float), bool: bool, int: int, Path: (str, os.PathLike)}
    allowed = allowed.get(option.type, str)
    if not isinstance(value, allowed) or (option.type is not bool and isinstance(value, bool)):
        return f"{value!r}: expected {_NAMES.get(option.type, 'the name of a file')}"
    if option.choices and value not in option.choices:
        return f"{value!r}: expected one of {', '.join(option.choices)}"
    return ""
