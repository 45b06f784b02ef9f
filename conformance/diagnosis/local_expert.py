"""An expert on an implementation that was imported into this process."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

from conformance.diagnosis.explanation import VERIFYING, examine
from conformance.diagnosis.verification import judge_again
from conformance.engine.garbage import collecting_rarely
from conformance.properties.support.subject import Subject
from conformance.requirements.verdict import Verdict


class LocalExpert:
    """Answers questions about one implementation, in this process.

    Args:
        subject: The implementation.
        diagnose: Whether it will be asked for a diagnosis.
    """

    def __init__(self, subject: Subject, *, diagnose: bool) -> None:
        self._subject, self.diagnoses = subject, diagnose

    is_busy = False

    def likely(self) -> list[dict[str, Any]]:
        """Return no mistake: none is looked for before it is asked for."""
        return []

    def explain(self, violated: Sequence[Verdict]) -> dict[str, Any]:
        """Return the diagnosis as JSON values.

        Args:
            violated: The verdicts to explain.
        """
        with warnings.catch_warnings(), collecting_rarely():
            warnings.simplefilter("ignore")
            return examine(self._subject).explain([*violated], time.time() + VERIFYING)

    def minimize(self, violated: Sequence[Verdict], budget: dict[str, Any]) -> list[Verdict]:
        """Return violations on smaller inputs.

        Args:
            violated: The verdicts, as judged.
            budget: The arguments of the budget by which they were judged.
        """
        return judge_again(self._subject, violated, budget)

    def close(self) -> None:
        """Do nothing: there is no process to end."""
