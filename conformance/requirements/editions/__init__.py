"""Editions of the requirements, and the history of each requirement; see docs/editions.md."""

from conformance.requirements.editions.changes import Change, history_of
from conformance.requirements.editions.edition import (
    DRAFT,
    Edition,
    UnknownEdition,
    edition_named,
    editions_with,
    judged_rows,
    newest_edition,
    published_editions,
    rows_of,
    why_unknown,
)

__all__ = [
    "DRAFT",
    "Change",
    "Edition",
    "UnknownEdition",
    "edition_named",
    "editions_with",
    "history_of",
    "judged_rows",
    "newest_edition",
    "published_editions",
    "rows_of",
    "why_unknown",
]
