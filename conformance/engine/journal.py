"""Keeps verdicts in a file as they come, so that an interrupted run can be resumed.

A verdict is valid for the code that produced it: each line carries a digest of the suite, of the
module that defines the fault, of the modules of the same package that this one builds on, and of
the budget. Lines with another digest are ignored.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from conformance.engine.budget import Budget
from conformance.requirements.verdict import Verdict

_SUITE = Path(__file__).parent.parent
_DECIDING = ("requirements", "adapters", "numerics", "strategies", "properties", "engine")
"""The packages that verdicts depend on."""


def digest(module: str, budget: Budget) -> str:
    """Return a digest of everything that a verdict on a fault depends on.

    Args:
        module: The module that defines the fault.
        budget: The budget of the run.
    """
    found = hashlib.sha256(_suite().encode())
    for name in sorted(_modules_behind(module, set())):
        found.update(inspect.getsource(sys.modules[name]).encode())
    choices = (budget.profile, budget.seed, budget.max_examples)
    found.update(repr(choices).encode())
    return found.hexdigest()[:16]


def _modules_behind(module: str, known: set[str]) -> set[str]:
    """Return a module, and the modules of its package that define the names it uses."""
    known.add(module)
    package = module.partition(".")[0]
    for value in vars(sys.modules[module]).values():
        origin = str(getattr(value, "__module__", None) or getattr(value, "__name__", ""))
        if origin.partition(".")[0] == package and origin in sys.modules and origin not in known:
            _modules_behind(origin, known)
    return known


@cache
def _suite() -> str:
    found = hashlib.sha256()
    for package in _DECIDING:
        for path in sorted((_SUITE / package).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()


class Journal:
    """A file of verdicts; None keeps nothing."""

    def __init__(self, path: Path | None, digests: dict[str, str]) -> None:
        self.path = path
        self._digests = digests

    def verdicts(self) -> list[Verdict]:
        """Return the verdicts that are still valid; a line cut short by a crash is left out.

        Raises:
            ValueError: The file has lines, and none of them is a verdict.
        """
        if self.path is None or not self.path.exists():
            return []
        kept: dict[tuple[str, str], Verdict] = {}
        for entry in self._entries(self.path.read_text(encoding="utf-8", errors="replace")):
            if entry["digest"] == self._digests.get(entry["verdict"]["implementation"]):
                verdict = Verdict.from_json(entry["verdict"])
                kept[verdict.implementation, verdict.requirement] = verdict
        return list(kept.values())

    def _entries(self, text: str) -> list[Any]:
        entries = [entry for entry in map(_parse, text.splitlines()) if entry]
        if "\n" in text and not entries:
            msg = (
                f"{self.path} holds no verdicts: --resume takes a file that `conformance faults "
                "--resume` has written, or one that is not there yet"
            )
            raise ValueError(msg)
        return entries

    def note(self, verdict: Verdict) -> None:
        """Append one verdict."""
        if self.path is None or verdict.implementation not in self._digests:
            return
        line = {"digest": self._digests[verdict.implementation], "verdict": verdict.to_json()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _parse(line: str) -> Any:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and {"digest", "verdict"} <= set(entry) else None
