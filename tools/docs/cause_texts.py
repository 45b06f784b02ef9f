"""The hand-written part of each page in docs/findings: title, severity, and judgement.

A folder in docs/findings belongs to each cause: `report.toml` with these texts, `script.py` that
shows the cause, `change.diff` that removes it from the framework's source, and `test.py`, a test in
the framework's style.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "findings"

SEVERITIES = {
    "wrong result": "a documented use returns or stores wrong numbers, or NaN, without an error",
    "wrong gradient": "the results are right, their gradients are not",
    "precision": "the formula is right, but the error exceeds what the dtype explains",
    "raises": "a documented use ends with an exception, at once or at a later step",
    "convention": "a documented choice, or one of taste: others choose differently",
}
"""The severities and their meanings, the most severe first. What is silent precedes what raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseText:
    """What is said about a cause.

    Attributes:
        title: As that of an issue.
        severity: One of ``SEVERITIES``.
        reason: Why it has this severity.
        what: What happens.
        documented: What the framework documents about it.
        why: Why it matters to a user.
        change: What the suggested change does.
        test_file: The file of the framework's repository that the test belongs to.
        related: Issues and pull requests of the frameworks that concern it.
    """

    title: str
    severity: str
    reason: str
    what: str
    documented: str
    why: str
    change: str
    test_file: str
    related: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """0 for the most severe."""
        return list(SEVERITIES).index(self.severity)


def read(cause: str, folder: Path = FOLDER) -> CauseText:
    """Return what is said about a cause.

    Raises:
        ValueError: The severity is not one of ``SEVERITIES``, or a text is missing or unknown.
    """
    file = folder / cause / "report.toml"
    found = tomllib.loads(file.read_text(encoding="utf-8"))
    found["related"] = tuple(found.get("related", ()))
    try:
        text = CauseText(**found)
    except TypeError as error:
        raise ValueError(f"{file}: {error}") from error
    if text.severity not in SEVERITIES:
        msg = f"{file}: severity {text.severity!r} is none of {', '.join(SEVERITIES)}"
        raise ValueError(msg)
    return text
