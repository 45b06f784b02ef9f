"""Reading a report that may be truncated, edited or malicious."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from conformance.adapters.errors import describe, printable

LARGEST = 1 << 30
"""Bytes; the report on a thousand implementations has about 10⁸."""

_DIGITS = 40
"""Digits of an integer; drawn integers have at most 64 bits, and 309 digits overflow a float."""


class ReportError(Exception):
    """A report cannot be read; the message names the file, the rule and the next step."""


def read_valid_json(path: Path, schema: Path, expected: tuple[str, int]) -> dict[str, Any]:
    """Return the JSON of a valid report.

    Args:
        path: The file.
        schema: The JSON schema that the content must satisfy.
        expected: The format and version that it must have.

    Raises:
        ReportError: What is wrong with it, in one line.
    """
    data = _parsed(path)
    found = (data.get("format"), data.get("version")) if isinstance(data, dict) else (None, None)
    if found != expected or isinstance(found[1], bool):
        shown = f"format {found[0]!r:.60}, version {found[1]!r:.60}"
        raise ReportError(printable(f"{path}: {shown}; this suite reads {expected[1]}."))
    problem = _against(schema, data) or _contradiction(data)
    if problem:
        msg = f"{path} is truncated or was edited: {problem}. Run again to write a new one."
        raise ReportError(printable(msg))
    return dict(data)


def _parsed(path: Path) -> Any:
    try:
        return json.loads(
            _text(path),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_short,
        )
    except (OSError, ValueError, RecursionError) as error:
        reason = describe(error) if isinstance(error, RecursionError) else str(error)
        hint = f"Write one with `conformance run --report {path}`."
        raise ReportError(printable(f"{path} is not a report: {reason}. {hint}")) from error


def _text(path: Path) -> str:
    with path.open("rb") as file:  # a pipe has no size, and may have no end
        large = os.fstat(file.fileno()).st_size > LARGEST
        content = b"" if large else file.read(LARGEST + 1)
    if large or len(content) > LARGEST:
        msg = f"more than the {LARGEST} bytes that a report may have"
        raise ValueError(msg)
    return content.decode("utf-8")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"{twice!r:.60} is there twice"
        raise ValueError(msg)
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        msg = f"{text:.60} is larger than any number of a report"
        raise ValueError(msg)
    return number


def _short(text: str) -> int:
    if len(text) > _DIGITS:
        msg = f"{text[:20]}… has {len(text)} digits, more than any number of a report"
        raise ValueError(msg)
    return int(text)


def _no_constant(name: str) -> Any:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _against(schema: Path, data: Any) -> str:
    """Return where and how the schema is violated; empty if it is not."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  only when reports are read
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    try:
        error = best_match(validator.iter_errors(data))
    except RecursionError:
        return "it is nested too deeply"
    if error is None:
        return ""
    return f"{error.json_path}: {error.message.splitlines()[0][:160]}"


def _contradiction(data: dict[str, Any]) -> str:
    """Return an inconsistency between verdicts and footer; empty if there is none."""
    pairs = [(v["requirement"], v["implementation"]) for v in data["verdicts"]]
    footer = data["footer"]
    if len(set(pairs)) < len(pairs):
        twice = next(pair for pair in pairs if pairs.count(pair) > 1)
        return f"two verdicts on {twice[0]}[{twice[1]}]"
    if footer["verdicts"] != len(pairs):
        return f"{len(pairs)} verdicts, where the footer counts {footer['verdicts']}"
    if footer["complete"] != (not footer["missing"] and footer["expected"] == len(pairs)):
        return "the footer contradicts itself about being complete"
    shown = {"violates", "waived"}
    if any((v["outcome"] in shown) != (v["violation"] is not None) for v in data["verdicts"]):
        return "a verdict's outcome and its `violation` field disagree"
    return ""
