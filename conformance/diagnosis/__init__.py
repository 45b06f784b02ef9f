"""Diagnosis: on a violation, what the mistake most likely is."""

from __future__ import annotations

from conformance.diagnosis.diagnosis import Diagnosis, diagnose

__all__ = ["Diagnosis", "diagnose"]
