"""What differs between devices on which one implementation was judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from conformance.engine.devices import split_device
from conformance.requirements.verdict import Outcome, Verdict

Outcomes = dict[str, dict[str, dict[str, str]]]
"""Outcomes by implementation, requirement and device."""


def outcomes_by_device(verdicts: Iterable[Verdict]) -> Outcomes:
    """Return the outcomes of what was judged on several devices."""
    found: Outcomes = {}
    for verdict in verdicts:
        name, device = split_device(verdict.implementation)
        if device:
            rows = found.setdefault(name, {})
            rows.setdefault(verdict.requirement, {})[device] = verdict.outcome.value
    several = {name: {d for row in rows.values() for d in row} for name, rows in found.items()}
    return {name: rows for name, rows in found.items() if len(several[name]) > 1}


def differing_outcomes(verdicts: Iterable[Verdict]) -> Outcomes:
    """Return the outcomes that are not the same on all devices."""
    found = {
        name: {row: ends for row, ends in rows.items() if len(set(ends.values())) > 1}
        for name, rows in outcomes_by_device(verdicts).items()
    }
    return {name: rows for name, rows in found.items() if rows}


def comparison_lines(verdicts: Sequence[Verdict], titles: Mapping[str, str]) -> list[str]:
    """Return what differs between devices as lines, those of each implementation side by side.

    Args:
        verdicts: The verdicts of a report.
        titles: What the devices call themselves, by the name of the implementation on each.
    """
    differing, lines = differing_outcomes(verdicts), []
    for name, rows in outcomes_by_device(verdicts).items():
        devices = list(dict.fromkeys(device for row in rows.values() for device in row))
        shown = [_title(device, titles.get(f"{name}@{device}", "")) for device in devices]
        judged = sum(set(ends.values()) != {Outcome.UNSUPPORTED.value} for ends in rows.values())
        others = differing.get(name, {})
        same = judged - len(others)
        lines.append(f"{name} on {' and '.join(shown)}: {same} of {judged} requirements end alike.")
        if others:
            lines += _table([["", *devices], *_cells(others, devices)])
        worst = {device: _worst(verdicts, f"{name}@{device}") for device in devices}
        listed = ", ".join(f"{error:.2f} on {device}" for device, error in worst.items() if error)
        lines += [f"  Worst error ÷ bound: {listed}."] if listed else []
    return lines


def _title(device: str, own: str) -> str:
    return device if own in {"", device} else f"{device} ({own})"


def _cells(rows: Mapping[str, Mapping[str, str]], devices: Sequence[str]) -> list[list[str]]:
    return [[row, *(ends.get(each, "") for each in devices)] for row, ends in rows.items()]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([c.ljust(width) for c, width in zip(row, widths, strict=True)] for row in rows)
    return [f"  {'  '.join(cells).rstrip()}" for cells in padded]


def _worst(verdicts: Iterable[Verdict], name: str) -> float:
    """Return the largest error ÷ bound that is within its bound; 0 if nothing was measured."""
    of_name = (v for v in verdicts if v.implementation == name and not v.outcome.bad)
    return max((v.worst for v in of_name if v.worst is not None), default=0.0)
