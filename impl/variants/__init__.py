"""Correct but unusual implementations: every one of them must conform.

They guard the suite against false accusations. To add one: a subclass of
``StepwiseBatchNorm`` in one of the modules, with ``@variant``.
"""

from __future__ import annotations

from impl.variants import (
    aged,
    backward,
    compiled,
    declared,
    forms,
    functional,
    narrow,
    stateful,
    sums,
    wide,
)
from impl.variants.record import VARIANTS

__all__ = [
    "VARIANTS",
    "aged",
    "backward",
    "compiled",
    "declared",
    "forms",
    "functional",
    "narrow",
    "stateful",
    "sums",
    "wide",
]
