"""What editions changed, by requirement."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.requirements.editions.edition import (
    Edition,
    Frozen,
    draft_edition,
    published_editions,
)
from conformance.requirements.requirement import Level
from conformance.requirements.table import ROWS_AS_WRITTEN


@dataclass(frozen=True, slots=True)
class Change:
    """What an edition changed about a requirement.

    Attributes:
        edition: The name of the edition; ``draft`` for what the next one will change.
        what: The change in words, such as ``added as MUST`` or ``raised from SHOULD to MUST``.
        reason: Why, as a sentence; empty for what was added.
    """

    edition: str
    what: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.edition}: {self.what}" + (f". {self.reason}" if self.reason else "")


def history_of(identity: str) -> tuple[Change, ...]:
    """Return what each edition changed about a requirement, from the oldest to the draft.

    Args:
        identity: The id, such as ``BN-EMA-1``.

    Raises:
        KeyError: No requirement has this id.
    """
    if identity not in ROWS_AS_WRITTEN:
        raise KeyError(identity)
    found, before = [], None
    for edition in (*published_editions(), draft_edition()):
        after = edition.rows.get(identity)
        if what := describe_change(before, after):
            found.append(Change(edition.name, what, edition.reasons.get(identity, "")))
        before = after
    return tuple(found)


def describe_change(before: Frozen | None, after: Frozen | None) -> str:
    """Return what changed about a requirement in words; empty if nothing did.

    Args:
        before: The requirement in an edition; None if that does not have it.
        after: The requirement in a later edition; None if that does not have it.
    """
    if before == after:
        return ""
    if before is None or after is None:
        return "removed" if after is None else f"added as {after['level'].upper()}"
    changed = [name for name in after if before[name] != after[name]]
    parts = []
    if "level" in changed:
        ranks = [level.value for level in Level]
        raised = ranks.index(after["level"]) < ranks.index(before["level"])
        levels = f"{before['level'].upper()} to {after['level'].upper()}"
        parts.append(f"{'raised' if raised else 'lowered'} from {levels}")
    if texts := [name for name in changed if name not in {"level", "needs"}]:
        parts.append(f"{' and '.join(texts)} reworded")
    if "needs" in changed:
        parts.append(f"applies to {after['needs']} instead of {before['needs']}")
    return "; ".join(parts)


def disagreements(newest: Edition, draft: Edition) -> list[str]:
    """Return what the draft changes without a reason, or is wrong about, with the next step.

    Args:
        newest: The newest published edition.
        draft: The draft of the next one.
    """
    found = []
    for identity, frozen in newest.rows.items():
        if identity not in ROWS_AS_WRITTEN:
            found.append(
                f"{identity} is in edition {newest.name}, but has no row. Keep the row and its "
                f'property, and mark the row until="{newest.name}".'
            )
        elif _became_observed(frozen, draft.rows.get(identity)):
            found.append(
                f"{identity}: what is observed is not judged, so a level is not changed to MAY or "
                "from it. Give the new row another id, and drop this one."
            )
        elif what := describe_change(frozen, draft.rows.get(identity)):
            if not draft.reasons.get(identity):
                found.append(_unexplained(identity, what, newest))
        elif identity in draft.reasons:
            found.append(
                f"{identity} is as in edition {newest.name}: delete its reason from draft.toml."
            )
    return found + [
        f"draft.toml has a reason for {identity}, which edition {newest.name} does not have."
        for identity in draft.reasons
        if identity not in newest.rows
    ]


def _became_observed(before: Frozen, after: Frozen | None) -> bool:
    """Whether a row is a MAY before or after, and not both."""
    levels = {before["level"], (after or before)["level"]}
    return len(levels) > 1 and Level.MAY.value in levels


def _unexplained(identity: str, what: str, newest: Edition) -> str:
    return (
        f"{identity}: {what} since edition {newest.name}. Restore the row; or, if the next edition "
        "is to say so, give the reason in conformance/requirements/editions/draft.toml: "
        f'{identity} = "…". As long as no release has edition {newest.name}, it can be written '
        f"again: python tools/docs/editions.py {newest.name}"
    )
