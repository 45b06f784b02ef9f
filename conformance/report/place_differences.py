"""What differs between the devices, or the environments, in which one layer was judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from conformance.engine.devices import split_device
from conformance.engine.environments import split_place
from conformance.requirements.verdict import Outcome, Verdict

Outcomes = dict[str, dict[str, dict[str, str]]]
"""Outcomes by implementation, requirement and place."""

Split = Callable[[str], tuple[str, str]]
"""Returns an implementation without its place, and the place; an empty one is not compared."""

HERE = "here"
"""The environment of the suite, where it is compared with others."""


def by_device(name: str) -> tuple[str, str]:
    """Take the device off a name."""
    return split_device(name)


def by_environment(name: str) -> tuple[str, str]:
    """Take the environment off a name."""
    place = split_place(name)
    device = f"@{place.device}" if place.device else ""
    return f"{place.implementation}{device}", place.environment or HERE


def _outcomes_by_place(verdicts: Iterable[Verdict], split: Split) -> Outcomes:
    """Return the outcomes of what was judged in several places."""
    found: Outcomes = {}
    for verdict in verdicts:
        name, place = split(verdict.implementation)
        if place:
            rows = found.setdefault(name, {})
            rows.setdefault(verdict.requirement, {})[place] = verdict.outcome.value
    several = {name: {p for row in rows.values() for p in row} for name, rows in found.items()}
    return {name: rows for name, rows in found.items() if len(several[name]) > 1}


def differing_outcomes(verdicts: Iterable[Verdict], split: Split) -> Outcomes:
    """Return the outcomes that are not the same in all places."""
    found = {
        name: {row: ends for row, ends in rows.items() if len(set(ends.values())) > 1}
        for name, rows in _outcomes_by_place(verdicts, split).items()
    }
    return {name: rows for name, rows in found.items() if rows}


def comparison_lines(
    verdicts: Sequence[Verdict], titles: Mapping[str, str], split: Split
) -> list[str]:
    """Return what differs between places as lines, those of each implementation side by side.

    Args:
        verdicts: The verdicts of a report.
        titles: What the devices call themselves, by the name of the implementation on each.
        split: Takes the place off a name.
    """
    differing, lines = differing_outcomes(verdicts, split), []
    for name, rows in _outcomes_by_place(verdicts, split).items():
        places = list(dict.fromkeys(place for row in rows.values() for place in row))
        full = {
            s[1]: v.implementation for v in verdicts if (s := split(v.implementation))[0] == name
        }
        shown = [_title(place, titles.get(full[place], "")) for place in places]
        judged = sum(set(ends.values()) != {Outcome.UNSUPPORTED.value} for ends in rows.values())
        others = differing.get(name, {})
        same = judged - len(others)
        where = "on" if split is by_device else "with"
        lines.append(
            f"{name} {where} {' and '.join(shown)}: {same} of {judged} requirements end alike."
        )
        if others:
            lines += _table([["", *places], *_cells(others, places)])
        worst = {place: _worst(verdicts, full[place]) for place in places}
        listed = ", ".join(f"{error:.2f} {where} {at}" for at, error in worst.items() if error)
        lines += [f"  Worst error ÷ bound: {listed}."] if listed else []
    return lines


def _title(place: str, own: str) -> str:
    return place if own in {"", place} else f"{place} ({own})"


def _cells(rows: Mapping[str, Mapping[str, str]], places: Sequence[str]) -> list[list[str]]:
    return [[row, *(ends.get(each, "") for each in places)] for row, ends in rows.items()]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([c.ljust(width) for c, width in zip(row, widths, strict=True)] for row in rows)
    return [f"  {'  '.join(cells).rstrip()}" for cells in padded]


def _worst(verdicts: Iterable[Verdict], name: str) -> float:
    """Return the largest error ÷ bound that is within its bound; 0 if nothing was measured."""
    of_name = (v for v in verdicts if v.implementation == name and not v.outcome.bad)
    return max((v.worst for v in of_name if v.worst is not None), default=0.0)
