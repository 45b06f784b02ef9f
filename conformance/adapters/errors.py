"""Exceptions of third-party code: described in one line, and turned into ``AdapterError``."""

from __future__ import annotations

import traceback
import unicodedata
from pathlib import Path

from conformance.adapters import call_hooks

_LONGEST = 300

_HIDING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control, format (bidirectional overrides, zero width), surrogate, line and paragraph."""

_OWN_FRAMES = {
    str(Path(__file__).with_name(f"{name}.py")) for name in ("errors", "resolve", "recognize")
}


class AdapterError(Exception):
    """An implementation could not be found, understood or driven; nothing was judged."""


def printable(text: str, keep: str = "\n\t") -> str:
    r"""Return the text with every character that hides others escaped, such as ``\u202e``."""
    return "".join(
        ascii(char)[1:-1] if unicodedata.category(char) in _HIDING and char not in keep else char
        for char in text
    )


def describe(error: BaseException) -> str:
    """Return the class of an exception and the first line of its message, escaped and cut."""
    kind = type(error).__name__
    try:
        lines = str(error).strip().splitlines()
    except BaseException as another:  # noqa: BLE001  a message that cannot be had is no message
        return printable(f"{kind}, whose message raises {type(another).__name__}")
    return printable(f"{kind}: {lines[0][:_LONGEST]}" if lines else kind)


class wrap_errors:  # noqa: N801  a context manager that reads like a phrase
    """Turn whatever an import raises into an ``AdapterError`` that names the import."""

    def __init__(self, what: str, happened: str = "cannot be imported") -> None:
        self.what = f"{what} {happened}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, AdapterError):
            return
        if error is not None and call_hooks.is_implementation_error(error):
            msg = f"{self.what}: {describe(error)}{_last_frame(error)}"
            raise AdapterError(msg) from error


def _last_frame(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "importlib" not in f.filename and f.filename not in _OWN_FRAMES]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
