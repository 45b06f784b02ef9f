"""Hints on a cause, from vague to precise, so that a site can show one after the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from conformance.adapters.errors import printable
from conformance.report.causes import Cause
from conformance.report.text import describe_edit, sentence_of
from conformance.requirements import Requirement
from conformance.requirements.finding import FindingKind
from conformance.requirements.verdict import Outcome, Verdict

LONGEST = 300
"""Characters of a text in a grade."""

_PLAIN = frozenset({"alternative"})
"""Kinds of diagnosis whose sentence consists of words of the suite and of numbers."""

_FACTS = frozenset({"input-changed", "stored-dtype", "varies"})
"""Ids of other diagnoses of which that is true."""

_NUMBER = re.compile(r"(?<![\w.])[-−]?(?![0-2](?!\d|\.\d|e[-+\d]))\d+(?:\.\d+)?(?:e[-+]?\d+)?")
"""A number other than 0, 1 and 2, which belong to formulas."""

_SEEN = {
    FindingKind.VALUE: "A number differs from what is expected",
    FindingKind.NON_FINITE: "A number is not finite",
    FindingKind.RAISED: "An operation raises an exception",
    FindingKind.TIMED_OUT: "An operation does not return in time",
    FindingKind.LOST: "The process of the layer ends, or takes too much memory",
    FindingKind.MISSING: "An array is missing",
    FindingKind.NOT_ARRAY: "What is returned is not a numeric array",
    FindingKind.FACT: "A shape, a dtype, an identity or the like is not as expected",
}


_QUANTITIES = (
    *("running_mean", "running_var", "gamma", "beta", "y"),
    *("the gradient of x", "the gradient of gamma", "the gradient of beta"),
)
"""What a hint names as wrong; a quantity of a finding begins with one of these, or is not named."""


def hints_on(
    cause: Cause, example: Verdict, row: Requirement, *, hides_inputs: bool
) -> list[dict[str, str]]:
    """Return three hints: what is wrong, where, and how to correct it.

    Args:
        cause: The cause.
        example: A bad verdict that it explains, or is thought to explain.
        row: What it violates, as the edition of the run has it.
        hides_inputs: Leave out what depends on the suite's cases or is said by the layer.
    """
    remedy = str(cause.diagnosis.get("remedy", ""))
    if hides_inputs:
        remedy = hide_numbers(remedy)
    edit = "" if hides_inputs else describe_edit(cause.diagnosis.get("line", {}))
    known = " ".join(_sentence(each) for each in (remedy, edit) if each)
    how = known or f"Classical mistakes: {'; '.join(row.mistakes)}."
    title = f"{row.id} ({example.level.value.upper()})"
    texts = {
        "what": f"{title} {_state(example)}: {row.statement}{_wrong(example)}",
        "where": _where(cause, example, row.formula, hides_inputs=hides_inputs),
        "how": how,
    }
    return [{"level": level, "text": tidy(text)} for level, text in texts.items()]


def _state(example: Verdict) -> str:
    return "could not be judged" if example.outcome is Outcome.ERRORED else "is not met"


def _wrong(example: Verdict) -> str:
    """Return which quantity is wrong, in words of the suite."""
    if example.violation is None:
        return ""
    words = f"{example.violation.finding.quantity} "
    found = next((each for each in _QUANTITIES if words.startswith(f"{each} ")), "")
    return f" Wrong: {found}." if found else ""


def _where(cause: Cause, example: Verdict, formula: str, *, hides_inputs: bool) -> str:
    found = cause.diagnosis
    line = _line(found.get("line"), example.implementation, hides_inputs=hides_inputs)
    if found and not hides_inputs:
        return _sentence(sentence_of(found) + line)
    if found.get("kind") in _PLAIN or found.get("id") in _FACTS:
        return _sentence(hide_numbers(sentence_of(found)) + line)
    if example.violation is None:
        return "It could not be judged." if hides_inputs else _sentence(example.detail)
    finding = example.violation.finding
    if not hides_inputs:
        return _sentence(finding.sentence())
    return f"{_SEEN[finding.kind]}{line}." + (f" Required: {formula}" if formula else "")


def _line(place: Any, implementation: str, *, hides_inputs: bool) -> str:
    """Return where a diagnosis found it in the code; when hiding, only in the judged file."""
    if not isinstance(place, dict) or not isinstance(place.get("line"), int):
        return ""
    name = Path(str(place.get("file", ""))).name
    if hides_inputs and name != Path(implementation.partition(":")[0]).name:
        return ""
    return f", at {name}:{place['line']}"


def hide_numbers(text: str) -> str:
    """Return text with an ellipsis for each number but 0, 1 and 2."""
    return _NUMBER.sub("…", text)


def tidy(text: str) -> str:
    """Return text on one line, shortened, with every hiding character escaped."""
    plain = printable(" ".join(text.split()), keep="")
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def _sentence(text: str) -> str:
    upper = text[:1].upper() + text[1:] if text[:1].isascii() else text  # ε is not Ε
    return upper if upper.endswith(".") else f"{upper}."
