"""Layers with two or three mistakes at once, in different steps: the gallery ``combined``.

A record has one name per mistake, joined by "+"; ``diagnosed`` names each of them. Pairs and
triples are made from single faults; those in ``written`` are written as people write them.
"""

from __future__ import annotations

from impl.combined import written  # noqa: F401  its records
from impl.combined.pairs import record_combinations
from impl.combined.record import COMBINED

record_combinations()

__all__ = ["COMBINED"]
