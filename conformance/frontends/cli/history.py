"""The violations of recent runs, stored so that they can be replayed by their ids."""

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
"""How many violations are stored; the oldest are deleted first."""


@dataclass(frozen=True, slots=True)
class StoredViolation:
    """A verdict with a violation.

    Attributes:
        verdict: The verdict.
        directory: Where the run was started; relative names of files refer to it.
        strictly: Whether declared deviations were ignored.
    """

    verdict: Verdict
    directory: Path | None
    strictly: bool = False

    @property
    def id(self) -> str:
        """The id of the counterexample."""
        violation = self.verdict.violation
        return violation.id if violation is not None else ""

    @property
    def values(self) -> dict[str, Any]:
        """The inputs, as encoded by ``strategies.codec``."""
        violation = self.verdict.violation
        return violation.values if violation is not None else {}


def _directory() -> Path:
    return cache_directory() / "violations"


def violations_in(report: Report) -> Iterator[StoredViolation]:
    """Yield the violations of a report that can be replayed."""
    for verdict in report.verdicts:
        if verdict.violation is not None and verdict.violation.id:
            yield StoredViolation(verdict, None, report.header.strict_reading)


def keep(report: Report) -> None:
    """Store the violations of a run, unless the cache directory cannot be written to."""
    try:
        for stored in violations_in(report):
            verdict = stored.verdict.to_json(internal=True)
            conditions = {"directory": str(Path.cwd()), "strictly": stored.strictly}
            text = json.dumps({"verdict": verdict} | conditions)
            owner = hashlib.sha256(verdict["implementation"].encode()).hexdigest()[:8]
            name = f"{verdict['violation']['id']}-{owner}.json"
            write_text(_directory() / name, text)
        for old in _newest_first()[KEPT:]:
            old.unlink(missing_ok=True)
    except OSError:
        return


def read_history() -> Iterator[StoredViolation]:
    """Yield the stored violations, the newest first; unreadable ones are skipped."""
    for path in _newest_first():
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            strictly = bool(data.get("strictly", False))
            yield StoredViolation(
                Verdict.from_json(data["verdict"]), Path(data["directory"]), strictly
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _newest_first() -> list[Path]:
    if not _directory().is_dir():
        return []
    found = [(path.stat().st_mtime, path) for path in _directory().glob("*.json")]
    return [path for _, path in sorted(found, reverse=True)]
