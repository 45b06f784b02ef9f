"""The door for a user's own test file."""

from __future__ import annotations

from collections.abc import Callable


def conformance_tests(implementation: str) -> Callable[..., None]:
    raise NotImplementedError
