"""The violations of recent runs, kept so that they can be replayed by their ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.engine.jax_runtime import cache_directory
from conformance.report.atomic_files import write_text
from conformance.requirements.verdict import Verdict

if TYPE_CHECKING:
    from conformance.report.model import Report

KEPT = 500
"""Violations that are kept; beyond that the oldest go."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A verdict with a violation, and the directory that its implementation was named in.

    ``strictly``: declared deviations were left out of account.
    """

    verdict: Verdict
    directory: Path | None
    strictly: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """The inputs in their exact form."""
        violation = self.verdict.violation
        return violation.values if violation is not None else {}


def _place() -> Path:
    return cache_directory() / "violations"


def violations_in(report: Report, directory: Path | None = None) -> Iterator[Stored]:
    """Yield what a report has that can be replayed."""
    for verdict in report.verdicts:
        if verdict.violation is not None and verdict.violation.id:
            yield Stored(verdict, directory, report.header.strict_reading)


def keep(report: Report) -> None:
    """Keep the violations of a run; a home that cannot be written to costs nothing but that."""
    try:
        for stored in violations_in(report):
            verdict = stored.verdict.to_json(internal=True)
            conditions = {"directory": str(Path.cwd()), "strictly": stored.strictly}
            text = json.dumps({"verdict": verdict} | conditions)
            owner = hashlib.sha256(verdict["implementation"].encode()).hexdigest()[:8]
            name = f"{verdict['violation']['id']}-{owner}.json"
            write_text(_place() / name, text)
        for old in _newest_first()[KEPT:]:
            old.unlink(missing_ok=True)
    except OSError:
        return


def kept() -> Iterator[Stored]:
    """Yield the violations that were kept, the newest first; unreadable ones are left out."""
    for path in _newest_first():
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            strictly = bool(data.get("strictly", False))
            yield Stored(Verdict.from_json(data["verdict"]), Path(data["directory"]), strictly)
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _newest_first() -> list[Path]:
    if not _place().is_dir():
        return []
    found = [(path.stat().st_mtime, path) for path in _place().glob("*.json")]
    return [path for _, path in sorted(found, reverse=True)]
