"""Sharing out the time of a run that has a limit: ``--max-time``."""

from __future__ import annotations

import time

FIRST_CASES = 5
"""What every requirement gets, however little time is left."""


class Clock:
    """Tells each requirement of one process until when it may go on.

    ``ends``: seconds since 1970, the same in all processes. ``weight``: the sum of the shares of
    what this process is expected to judge, a share being the part of the cases per property
    that buys detection. What one requirement leaves is there for those after it; what a
    requirement needs for its first cases, beyond its part, they lack.
    """

    def __init__(self, ends: float, weight: float) -> None:
        self.ends = ends
        self._left = weight

    def until(self, share: float) -> float:
        """Return when a requirement of this share has to stop, as seconds since 1970."""
        now = time.time()
        part = min(1.0, share / max(self._left, share))
        self._left -= share
        return now + max(0.0, self.ends - now) * part
