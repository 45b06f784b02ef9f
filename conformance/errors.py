"""Text of implementations and what their exceptions say, also if made to harm whoever reads it."""

from __future__ import annotations

import unicodedata

_LONGEST = 300

_HIDING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control, format (bidirectional overrides, zero width), surrogate, line and paragraph."""


def printable(text: str, keep: str = "\n\t") -> str:
    r"""Return the text with every character that hides others escaped, such as ``\u202e``."""
    return "".join(
        ascii(char)[1:-1] if unicodedata.category(char) in _HIDING and char not in keep else char
        for char in text
    )


def described(error: BaseException) -> str:
    """Return the class of an exception and the first line of its message, escaped and cut."""
    kind = type(error).__name__
    try:
        lines = str(error).strip().splitlines()
    except BaseException as another:  # noqa: BLE001  a message that cannot be had is no message
        return printable(f"{kind}, whose message raises {type(another).__name__}")
    return printable(f"{kind}: {lines[0][:_LONGEST]}" if lines else kind)
