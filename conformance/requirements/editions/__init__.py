"""Editions of the requirements, and the history of each requirement; see docs/editions.md."""

from conformance.requirements.editions.edition import (
    DRAFT,
    Edition,
    UnknownEdition,
    edition_named,
    newest_edition,
    published_editions,
    rows_of,
)
from conformance.requirements.editions.history import Change, history_of

__all__ = [
    "DRAFT",
    "Change",
    "Edition",
    "UnknownEdition",
    "edition_named",
    "history_of",
    "newest_edition",
    "published_editions",
    "rows_of",
]
