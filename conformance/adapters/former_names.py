"""Registered names of earlier versions, and what they are today. Imports nothing."""

from __future__ import annotations

RENAMED = {
    f"{name}-wide": name for name in ("flax", "linen", "equinox", "equinox-ema", "haiku", "keras")
} | {"wide": "variant:wide"}
"""The names of today by those of earlier versions."""


def describe_renamed(name: str) -> str:
    """Return what a name of an earlier version is today, as a sentence; empty for other names.

    Args:
        name: The name of an implementation, possibly with an environment and a device.
    """
    former, at, place = name.partition("@")
    if former not in RENAMED:
        return ""
    return (
        f"{name!r} is now {RENAMED[former] + at + place!r}: every entry is judged in the whole "
        "domain of its layer, and -k selects requirements."
    )
