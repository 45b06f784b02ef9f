"""Waivers: known violations, with a reason, an issue and perhaps an expiry date.

A file has one ``[[waiver]]`` for each pair of requirement and implementation. Waivers are strict:
one that waives nothing is an error, so that the file never goes stale.
"""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome, Verdict

_TEXTS = ("requirement", "implementation", "reason", "issue")
_OPTIONAL = ("expires", "diagnosis", "pin")
_LARGEST = 1 << 24
"""Bytes of a file; an entry with a pin has a few thousand."""


class WaiverError(Exception):
    """A waiver file is invalid; the message names the entry, the rule and the next step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One waived violation.

    Attributes:
        requirement: The id of the requirement.
        implementation: The name of the implementation in the run.
        reason: Why the violation is accepted.
        issue: Where it is tracked.
        expires: The last day on which the waiver is valid; None if it does not expire.
        diagnosis: Words that the diagnosis of the implementation must contain.
        pin: An encoded counterexample.
    """

    requirement: str
    implementation: str
    reason: str
    issue: str
    expires: datetime.date | None = None
    diagnosis: str = ""
    pin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The waiver in messages."""
        return f"the waiver of {self.requirement} for {self.implementation}"


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


def find_waiver(waivers: Iterable[Waiver], requirement: str, implementation: str) -> Waiver | None:
    """Return the waiver of a pair; None if there is none.

    Args:
        waivers: All waivers of the file.
        requirement: The id of the requirement.
        implementation: The name of the implementation.
    """
    for waiver in waivers:
        if (waiver.requirement, waiver.implementation) == (requirement, implementation):
            return waiver
    return None


def apply_waiver(verdict: Verdict, waiver: Waiver | None, *, pinned: bool = False) -> Verdict:
    """Return the verdict, waived if it is a violation with a waiver.

    Args:
        verdict: The verdict.
        waiver: The waiver of its pair, if there is one.
        pinned: Whether the verdict is about the pinned case.
    """
    if waiver is None or verdict.outcome is not Outcome.VIOLATES:
        return verdict
    how = "; the pinned case still violates, and no other was looked for" if pinned else ""
    detail = f"waived: {waiver.reason} ({waiver.issue}){how}"
    return replace(verdict, outcome=Outcome.WAIVED, detail=detail)


def judge_with_waiver(
    waiver: Waiver | None, judge: Callable[[Mapping[str, Any] | None], Verdict]
) -> Verdict:
    """Return the verdict of ``judge``, waived if the waiver applies.

    Args:
        waiver: The waiver of the pair, if there is one.
        judge: Called first with the pinned case, if there is one; with None, which means all
            cases, only if the pinned case no longer violates the requirement.
    """
    if waiver is not None and waiver.pin:
        pinned = judge(waiver.pin)
        if pinned.outcome is Outcome.VIOLATES:
            return apply_waiver(pinned, waiver, pinned=True)
        if pinned.outcome is Outcome.ERRORED:
            return replace(pinned, detail=f"the pin of {waiver.title}: {pinned.detail}")
    return apply_waiver(judge(None), waiver)


def describe_stale(
    waivers: Iterable[Waiver],
    verdicts: Mapping[tuple[str, str], Verdict],
    names: Iterable[str],
    diagnoses: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[str]:
    """Return a sentence for each waiver that a run has shown to be stale.

    Args:
        waivers: All waivers of the file.
        verdicts: By requirement and implementation. Waivers of pairs without a verdict are
            ignored.
        names: The implementations judged.
        diagnoses: By implementation; None if no diagnosis was made.
    """
    waivers = list(waivers)
    sentences = describe_unmatched(waivers, names)
    for waiver in waivers:
        verdict = verdicts.get((waiver.requirement, waiver.implementation))
        if verdict is not None:
            diagnosis = None if diagnoses is None else diagnoses.get(waiver.implementation, {})
            sentences.append(describe_mismatch(waiver, verdict, diagnosis))
    return [sentence for sentence in sentences if sentence]


def describe_unmatched(waivers: Iterable[Waiver], names: Iterable[str]) -> list[str]:
    """Return a sentence for each waiver whose implementation was not judged."""
    judged = set(names)
    shown = ", ".join(sorted(judged))
    return [
        f"{waiver.title} matches nothing: judged was {shown}."
        for waiver in waivers
        if waiver.implementation not in judged
    ]


def describe_mismatch(
    waiver: Waiver, verdict: Verdict, diagnosis: Mapping[str, Any] | None = None
) -> str:
    """Return why a waiver does not fit the verdict on its pair; empty if it does.

    Args:
        waiver: The waiver.
        verdict: The verdict on the same pair.
        diagnosis: The most likely mistake; empty if none was found, None if none was sought.
    """
    if verdict.outcome is Outcome.UNSUPPORTED:
        return f"{waiver.title} waives a requirement that does not apply. Remove it."
    if verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}:
        return f"{waiver.title} is no longer needed: the implementation conforms. Remove it."
    if waiver.diagnosis and diagnosis is not None and verdict.outcome is Outcome.WAIVED:
        sentence = str(diagnosis.get("sentence", "none"))
        if waiver.diagnosis.lower() not in sentence.lower():
            return f"{waiver.title} expects {waiver.diagnosis!r}, but the diagnosis is: {sentence}."
    return ""


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
