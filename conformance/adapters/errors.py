"""Exceptions of third-party code: described in one line, and turned into ``AdapterError``."""

from __future__ import annotations

import traceback
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.adapters import call_hooks

_MAX_LENGTH = 300

_HIDING_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control, format (bidirectional overrides, zero width), surrogate, line and paragraph."""

_HERE = Path(__file__).parent

_OWN_FILES = {str(_HERE / name) for name in ("errors.py", "resolve.py")} | {
    str(path) for path in (_HERE / "recognition").glob("*.py")
}


class AdapterError(Exception):
    """An implementation could not be found, understood or driven; nothing was judged."""


def printable(text: str, keep: str = "\n\t") -> str:
    r"""Escape every character that would hide or reorder others, such as ``\u202e``.

    Args:
        text: Text from outside the suite.
        keep: Control characters that are not escaped.

    Returns:
        The text with those characters as Python escape sequences.
    """
    return "".join(
        ascii(char)[1:-1]
        if unicodedata.category(char) in _HIDING_CATEGORIES and char not in keep
        else char
        for char in text
    )


def describe(error: BaseException) -> str:
    """Return the class of an exception and the first line of its message, escaped and truncated."""
    kind = type(error).__name__
    try:
        lines = str(error).strip().splitlines()
    except BaseException as another:  # noqa: BLE001  __str__ is third-party code
        return printable(f"{kind}, whose message raises {type(another).__name__}")
    return printable(f"{kind}: {lines[0][:_MAX_LENGTH]}" if lines else kind)


@contextmanager
def wrap_errors(what: str, happened: str = "cannot be imported") -> Iterator[None]:
    """Turn whatever third-party code raises into an ``AdapterError`` that names its location.

    Args:
        what: The object of the attempt, such as ``module 'norms'``.
        happened: The predicate of the message.

    Raises:
        AdapterError: The body raised, and not because of the user or the test runner.
    """
    try:
        yield
    except AdapterError:
        raise
    except BaseException as error:
        if not call_hooks.is_implementation_error(error):
            raise
        msg = f"{what} {happened}: {describe(error)}{_locate(error)}"
        raise AdapterError(msg) from error


def place_of(error: BaseException) -> str:
    """Return file and line of the innermost frame outside every package; empty if there is none."""
    ours = str(Path(__file__).parents[1]), "<"
    frames = [(f.f_code.co_filename, line) for f, line in traceback.walk_tb(error.__traceback__)]
    own = [(f, line) for f, line in frames if not (f.startswith(ours) or "-packages" in f)]
    return f"{Path(own[-1][0]).name}, line {own[-1][1]}" if own else ""


def _locate(error: BaseException) -> str:
    """Return file and line of the innermost frame outside the suite, in parentheses."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [f for f in frames if "importlib" not in f.filename and f.filename not in _OWN_FILES]
    if not outside:
        return ""
    return f" ({Path(outside[-1].filename).name}, line {outside[-1].lineno})"
