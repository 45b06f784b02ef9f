"""The exit codes of ``conformance``: one table for every command."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from conformance.requirements import Level
from conformance.requirements.verdict import Outcome, Verdict


class ExitCode(IntEnum):
    """The result of a command, as its ``--help`` documents it."""

    OK = 0
    """Everything that was judged conforms; every fault or edit is caught; nothing got worse."""
    FAILED = 1
    """A requirement is violated, a fault or an edit is missed, a case fails, a report got worse."""
    UNUSABLE = 2
    """The implementation, the command line or a file cannot be used."""
    NOTHING_JUDGED = 5
    """No requirement applied, or none was selected."""
    INTERRUPTED = 130
    """Ctrl-C: 128 + SIGINT."""
    TERMINATED = 143
    """128 + SIGTERM."""


def exit_code_of(verdicts: Iterable[Verdict], *, strict: bool) -> ExitCode:
    """Return the exit code that verdicts lead to; ``strict`` counts a SHOULD like a MUST.

    A MAY counts only where nothing else was asked for.
    """
    asked = list(verdicts)
    found = [v for v in asked if v.level is not Level.MAY] or asked
    if not any(v.outcome.judged or v.outcome.bad or v.outcome is Outcome.OBSERVED for v in found):
        return ExitCode.NOTHING_JUDGED
    counted = [v for v in found if v.outcome.bad and (v.level is Level.MUST or strict)]
    if any(v.outcome is Outcome.VIOLATES for v in counted):
        return ExitCode.FAILED
    if any(v.outcome is Outcome.ERRORED for v in found):
        return ExitCode.UNUSABLE  # at any level: nothing is known about the requirement
    return ExitCode.FAILED if counted else ExitCode.OK
