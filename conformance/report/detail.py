"""How much of a report is printed."""

from __future__ import annotations

from enum import Enum


class Detail(Enum):
    """How much of a report is printed; the files that are written always have all of it."""

    LINE = "one line per implementation"
    SCREEN = "one screen per implementation, the causes first"
    ALL = "every violation in full"
