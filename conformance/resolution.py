"""From the name that a user types to the ``Implementation`` that is judged."""

from __future__ import annotations

from dataclasses import replace

from conformance.implementation import Implementation
from conformance.loading import load
from conformance.recognition import recognise


def resolve(name: str) -> Implementation:
    """Return the implementation that a name stands for, called by that name.

    Raises:
        AdapterError: it cannot be found or understood; the message says what to do.
    """
    return replace(recognise(name, load(name)), name=name)
