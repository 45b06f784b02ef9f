"""What implementations do where the requirements are silent: observed, tabled, never judged.

``model`` is the table; ``inputs``, ``derivatives`` and ``settings`` have a small function for each
behaviour, which calls a layer and answers in one sentence; ``observing`` runs them in a process
of the implementation's own.
"""

from __future__ import annotations

from conformance.diagnosis.behaviours import derivatives, inputs, settings
from conformance.diagnosis.behaviours.behaviour import (
    BEHAVIOURS,
    Behaviour,
    NotObserved,
    Observation,
)

__all__ = [
    "BEHAVIOURS",
    "Behaviour",
    "NotObserved",
    "Observation",
    "derivatives",
    "inputs",
    "settings",
]
