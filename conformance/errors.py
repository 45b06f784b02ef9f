"""What an exception says, also if it was made to harm whoever asks it."""

from __future__ import annotations

import re

_LONGEST = 300
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Return the text with control characters, lone surrogates and bidi marks escaped."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def described(error: BaseException) -> str:
    """Return the class of an exception and the first line of its message, escaped and cut."""
    kind = type(error).__name__
    try:
        lines = str(error).strip().splitlines()
    except BaseException as another:  # noqa: BLE001  a message that cannot be had is no message
        return printable(f"{kind}, whose message raises {type(another).__name__}")
    return printable(f"{kind}: {lines[0][:_LONGEST]}" if lines else kind)
