"""Characterizes implementations where the requirements leave freedom; nothing is judged.

``behaviour`` has the registry; ``inputs``, ``derivatives`` and ``settings`` have one function per
behaviour, which calls a layer and answers in one sentence; ``observer`` runs them in a subprocess.
"""

from __future__ import annotations

from conformance.diagnosis.behaviours import derivatives, inputs, settings  # noqa: F401  they register the behaviours
from conformance.diagnosis.behaviours.behaviour import (
    BEHAVIOURS,
    Behaviour,
    NotObserved,
    Observation,
)

__all__ = ["BEHAVIOURS", "Behaviour", "NotObserved", "Observation"]
