"""Text of implementations, made harmless: characters that hide or reorder others are shown."""

from __future__ import annotations

import unicodedata

_HIDING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control, format (bidirectional overrides, zero width), surrogate, line and paragraph."""


def visible(text: str, keep: str = "\n\t") -> str:
    r"""Return the text with every hiding character written as an escape, such as ``\u202e``."""
    return "".join(
        char if char in keep or unicodedata.category(char) not in _HIDING else _escaped(char)
        for char in text
    )


def _escaped(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def code(text: str) -> str:
    """Return the text as a code span of Markdown in one line, whatever is in it.

    Written as HTML with entities, because a backtick, a bar or a line end would leave a span;
    inside, names of users and numbers of issues are not turned into links either.
    """
    plain = visible(" ".join(text.split()), keep="")
    special = "`|*_[]()~@#\\:!$<>&\"'"
    return f"<code>{''.join(f'&#{ord(c)};' if c in special else c for c in plain)}</code>"
