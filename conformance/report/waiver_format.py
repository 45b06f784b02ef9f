"""The TOML format of waivers: reading files, and drafting entries.

A file has one ``[[waiver]]`` for each pair of requirement and implementation.
"""

from __future__ import annotations

import datetime
import json
import tomllib
from pathlib import Path
from typing import Any

from conformance.report.waivers import Waiver
from conformance.requirements import REQUIREMENTS, Level
from conformance.requirements.verdict import Verdict

_TEXTS = ("requirement", "implementation", "reason", "issue")
_OPTIONAL = ("expires", "diagnosis", "pin")
_LARGEST = 1 << 24
"""Bytes of a file; an entry with a pin has a few thousand."""


class WaiverError(Exception):
    """A waiver file is invalid; the message names the entry, the rule and the next step."""


def read_waivers(path: Path, today: datetime.date | None = None) -> tuple[Waiver, ...]:
    """Return the waivers in a TOML file.

    Raises:
        WaiverError: The file cannot be read, or an entry is incomplete, duplicate, unknown or
            expired.
    """
    entries = read_entries(path)
    found: dict[tuple[str, str], Waiver] = {}
    for number, entry in enumerate(entries, 1):
        waiver = _parse(f"{path}, entry {number}", entry)
        key = waiver.requirement, waiver.implementation
        if key in found:
            msg = f"{path}, entry {number}: {waiver.title} is there twice. Keep one."
            raise WaiverError(msg)
        if waiver.expires is not None and waiver.expires < (today or datetime.date.today()):
            msg = f"{path}, entry {number}: {waiver.title} expired on {waiver.expires}. "
            raise WaiverError(f"{msg}Fix the layer, or extend the date and explain why.")
        found[key] = waiver
    return tuple(found.values())


def read_entries(path: Path) -> list[Any]:
    """Return the entries of a file, complete or not.

    Raises:
        WaiverError: It is not a TOML file of ``[[waiver]]`` entries.
    """
    hint = "`conformance waivers update` writes one; fix this one, or name another."
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            msg = f"it has more than {_LARGEST} bytes"
            raise ValueError(msg)  # noqa: TRY301  reported like the others
        data = tomllib.loads(content.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        msg = f"{path} is not a waiver file: {why}. {hint}"
        raise WaiverError(msg) from error
    entries = data.get("waiver", [])
    if set(data) - {"waiver"} or not isinstance(entries, list):
        msg = f"{path}: expected [[waiver]] entries only, found {', '.join(data)}. {hint}"
        raise WaiverError(msg)
    return entries


def _parse(where: str, entry: Any) -> Waiver:
    if not isinstance(entry, dict):
        msg = f"{where}: {entry!r:.60} is not a table. Write [[waiver]], and its keys below it."
        raise WaiverError(msg)
    if unknown := sorted(set(entry) - {*_TEXTS, *_OPTIONAL}):
        keys = ", ".join(_TEXTS + _OPTIONAL)
        msg = f"{where}: {', '.join(unknown)} is not a key of a waiver; the keys are {keys}."
        raise WaiverError(msg)
    for name in _TEXTS:
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            msg = f"{where}: {name} is missing or empty. A waiver says what, why and where: "
            raise WaiverError(f"{msg}{', '.join(_TEXTS)}.")
    if entry["requirement"] not in REQUIREMENTS:
        msg = f"{where}: {entry['requirement']} is not a requirement. `conformance list` shows all."
        raise WaiverError(msg)
    if REQUIREMENTS[entry["requirement"]].level is Level.MAY:
        msg = f"{where}: {entry['requirement']} is a MAY, which nothing violates. Remove the entry."
        raise WaiverError(msg)
    expires = entry.get("expires")
    if expires is not None and type(expires) is not datetime.date:
        msg = f"{where}: expires = {expires!r} is not a date. Write expires = 2030-01-31, unquoted."
        raise WaiverError(msg)
    try:
        pin = json.loads(entry.get("pin", "{}"))
        if not isinstance(pin, dict) or not isinstance(entry.get("diagnosis", ""), str):
            raise TypeError  # noqa: TRY301  reported below, with the entry
    except (TypeError, ValueError, RecursionError) as error:
        msg = (
            f"{where}: pin or diagnosis cannot be read. Leave them as `waivers update` wrote them."
        )
        raise WaiverError(msg) from error
    return Waiver(**entry | {"pin": pin})


def draft_entry(verdict: Verdict) -> str:
    """Return an entry for a violation, whose reason and issue are to be filled in."""
    values = verdict.violation.values if verdict.violation is not None else {}
    lines = [
        "[[waiver]]",
        f"requirement = {_quote(verdict.requirement)}",
        f"implementation = {_quote(verdict.implementation)}",
        'reason = ""  # why it is accepted',
        'issue = ""   # where it is being dealt with',
    ]
    if values:
        pin = json.dumps(values, separators=(",", ":"))
        plain = "'" not in pin and "\x7f" not in pin  # a literal string escapes nothing
        lines.append(f"pin = '{pin}'" if plain else f"pin = {_quote(pin)}")
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    """Return a TOML string: as in JSON, but without surrogate pairs, and with DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
