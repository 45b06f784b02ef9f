"""What changed between two reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.report.model import Report
from conformance.requirements import Level
from conformance.requirements.verdict import Outcome, Verdict

DRIFT = 2.0
"""Factor of growth of the worst error ÷ bound that is reported as drift."""

FEWER = 2.0
"""Factor by which the number of cases must shrink to be reported."""

SLOWER = 2.0
"""Factor of growth of the time of a requirement that is reported."""

_NOISE, _SHORT = 0.01, 1.0
"""Growth below this error ÷ bound, or of fewer seconds, is noise."""


@dataclass(slots=True)
class Comparison:
    """Changes, each as lines that name the pair: ``BN-EMA-1[impl]``, and what changed."""

    newly_failing: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    slower: list[str] = field(default_factory=list)
    fewer_cases: list[str] = field(default_factory=list)
    appeared: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    configuration: list[str] = field(default_factory=list)

    @property
    def worse(self) -> bool:
        """Whether something newly fails, or is no longer judged."""
        return bool(self.newly_failing or self.vanished)


def compare(old: Report, new: Report) -> Comparison:
    """Return the changes from one report to another; a pair that is now unsupported has vanished.

    Args:
        old: The earlier report.
        new: The later report.
    """
    found = Comparison(configuration=_configuration(old, new))
    before, after = ({v.pair: v for v in report.verdicts} for report in (old, new))
    for pair in dict.fromkeys((*before, *after)):
        earlier, later = before.get(pair), after.get(pair)
        if earlier is not None and later is None and _was_dropped(earlier.requirement, old, new):
            found.changed.append(f"{pair}: was {_word(earlier)}, not in edition {new.edition.name}")
        else:
            _note(found, pair, earlier, later)
    return found


def _was_dropped(requirement: str, old: Report, new: Report) -> bool:
    """Whether the later report is by an edition that does not have a requirement."""
    by_other = old.header.edition != new.header.edition
    return by_other and requirement not in new.edition.rows


def _configuration(old: Report, new: Report) -> list[str]:
    """Return the differences between the conditions of the runs, which may explain the rest."""
    lines = [
        f"{key}: {_value(old, key)} → {_value(new, key)}"
        for key in ("edition", "profile", "seed", "max_examples", "strict", "strict_reading")
        if getattr(old.header, key) != getattr(new.header, key)
    ]
    mine, theirs = old.header.environment, new.header.environment
    return lines + [
        f"{key}: {mine.get(key, 'none')} → {theirs.get(key, 'none')}"
        for key in dict.fromkeys((*mine, *theirs))
        if mine.get(key) != theirs.get(key)
    ]


def _value(report: Report, key: str) -> str:
    value = getattr(report.header, key)
    return "none" if value == "" else str(value)


def _note(found: Comparison, pair: str, old: Verdict | None, new: Verdict | None) -> None:
    if Level.MAY in {verdict.level for verdict in (old, new) if verdict is not None}:
        if old is not None and new is not None and old.detail != new.detail:
            found.changed.append(f"{pair}: {old.detail} → {new.detail}")
        return
    if new is None:
        found.vanished.append(f"{pair}: was {_word(old)}")
        return
    if old is None:
        found.appeared.append(f"{pair}: {_word(new)}")
    if new.outcome.bad and not (old is not None and old.outcome.bad):
        found.newly_failing.append(f"{pair}: {_word(old)} → {_word(new)}")
    if old is None:
        return
    if new.outcome is Outcome.UNSUPPORTED and old.outcome is not Outcome.UNSUPPORTED:
        found.vanished.append(f"{pair}: {_word(old)} → unsupported")
    elif _fails(old) and not _fails(new):
        found.fixed.append(f"{pair}: {_word(old)} → {_word(new)}")
    elif old.outcome is not new.outcome and (old.outcome.bad or not new.outcome.bad):
        found.changed.append(f"{pair}: {_word(old)} → {_word(new)}")
    if old.level is not new.level:
        stricter = new.outcome.bad and new.level is Level.MUST
        levels = f"{old.level.value.upper()} → {new.level.value.upper()}"
        (found.newly_failing if stricter else found.changed).append(
            f"{pair}: {_word(new)}, {levels}"
        )
    if not (_fails(old) or _fails(new)):  # a violation ends the search early
        _note_evidence(found, pair, old, new)
    if new.seconds > SLOWER * old.seconds and new.seconds - old.seconds > _SHORT:
        found.slower.append(f"{pair}: {old.seconds:.1f} s → {new.seconds:.1f} s")


def _note_evidence(found: Comparison, pair: str, old: Verdict, new: Verdict) -> None:
    """Add growth of the error towards the bound, and a smaller number of cases.

    Args:
        found: The comparison to extend.
        pair: The name of the pair.
        old: The earlier verdict.
        new: The later verdict.
    """
    before, after = old.worst, new.worst
    if before is not None and after is not None and after > max(DRIFT * before, _NOISE):
        found.drift.append(f"{pair}: error ÷ bound {before:.2g} → {after:.2g}")
    if new.outcome is not Outcome.UNSUPPORTED and FEWER * new.cases < old.cases:
        found.fewer_cases.append(f"{pair}: {old.cases} → {new.cases} cases")


def _fails(verdict: Verdict) -> bool:
    """Whether the verdict fails, ignoring waivers."""
    return verdict.outcome.bad or verdict.outcome is Outcome.WAIVED


def _word(verdict: Verdict | None) -> str:
    return "absent" if verdict is None else verdict.outcome.value
