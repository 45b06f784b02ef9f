"""Finds out how an object is built and driven: by its names, and by experiment."""

from __future__ import annotations

from conformance.adapters.recognition.callables import GUIDE
from conformance.adapters.recognition.objects import recognize

__all__ = ["GUIDE", "recognize"]
