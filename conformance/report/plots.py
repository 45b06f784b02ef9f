"""Coordinates of the marks and bars in the HTML report, which its template draws as SVG."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from conformance.report.model import Report
from conformance.requirements.verdict import Verdict

WIDTH = 440
"""The width of a plot, in units of its view box; it fits a phone without scrolling."""

_LINE = 14
_LEFT, _RIGHT = 84, 430
_TOP = 28
_LAST_DECADE = 12

MARKS = (
    "M0-4a4 4 0 1 0 .01 0z",
    "M-3.5-3.5h7v7h-7z",
    "M0-4.5l4.5 8h-9z",
    "M0-5l4 5-4 5-4-5z",
    "M-1.3-4.5h2.6v3.2h3.2v2.6h-3.2v3.2h-2.6v-3.2h-3.2v-2.6h3.2z",
    "M0 4.5l-4.5-8h9z",
)
"""Shapes around the origin, so that nothing is distinguished by color alone."""


def ratio(verdict: Verdict) -> float | None:
    """Return error ÷ bound of a violation, else the largest that was accepted, if any was."""
    if verdict.violation is not None and verdict.violation.finding.ratio is not None:
        return verdict.violation.finding.ratio
    return verdict.worst


def errors(report: Report, identities: list[str]) -> dict[str, Any]:
    """Return error ÷ bound of each verdict on a log scale.

    The scale covers the data and at least one decade beyond 1. Zero is drawn at the left end,
    infinity and NaN at the right end.

    Args:
        report: The report.
        identities: The ids of requirements, in the order of the plot.
    """
    series = {name: n for n, name in enumerate(report.header.implementations)}
    found: dict[str, list[tuple[Verdict, float]]] = defaultdict(list)
    for verdict in report.verdicts:
        if (value := ratio(verdict)) is not None:
            found[verdict.requirement].append((verdict, value))
    scale = _Decades([value for pairs in found.values() for _, value in pairs])
    lines: list[dict[str, Any]] = []
    for identity in (i for i in identities if i in found):
        y = _TOP + len(lines) * _LINE
        marks = [
            {
                "series": series.get(verdict.implementation, 0) % len(MARKS),
                "x": scale.place(value),
                "y": y + _apart(series.get(verdict.implementation, 0), len(series)),
                "title": f"{identity} {verdict.implementation}: {value:.3g}",
            }
            for verdict, value in found[identity]
        ]
        lines.append({"id": identity, "y": y, "marks": marks})
    return {"lines": lines, "ticks": scale.ticks(), "height": _TOP + len(lines) * _LINE + 6}


def _apart(number: int, count: int) -> float:
    """Return the vertical offset of a mark, so that equal values do not hide one another."""
    return round((number - (count - 1) / 2) * min(3.0, 8.0 / max(count, 1)), 1)


class _Decades:
    """A logarithmic scale over the finite values, from 1e-2 to 10 at least."""

    def __init__(self, values: list[float]) -> None:
        finite = [math.log10(v) for v in values if 0 < v < math.inf]
        self._low = max(-_LAST_DECADE, math.floor(min([-2.0, *finite])))
        self._high = min(_LAST_DECADE, math.ceil(max([1.0, *finite])))

    def place(self, value: float) -> float:
        """Return the x coordinate of a value; infinity and NaN are at the right end."""
        if value <= 0:
            return _LEFT
        if not value < math.inf:
            return _RIGHT
        decades = min(max(math.log10(value), self._low), self._high) - self._low
        return round(_LEFT + decades * (_RIGHT - _LEFT) / (self._high - self._low), 1)

    def ticks(self) -> list[dict[str, Any]]:
        """Return about seven decades, 1 (the limit) among them."""
        step = max(1, (self._high - self._low) // 7)
        decades = sorted({*range(0, self._low - 1, -step), *range(0, self._high + 1, step)})
        return [
            {"x": self.place(10.0**d), "limit": d == 0, "label": "1" if d == 0 else f"1e{d}"}
            for d in decades
        ]


def times(report: Report, identities: list[str]) -> dict[str, Any]:
    """Return the seconds of each requirement, summed over implementations, as bars.

    Args:
        report: The report.
        identities: The ids of requirements, in the order of the plot.
    """
    total = dict.fromkeys(identities, 0.0)
    for verdict in report.verdicts:
        total[verdict.requirement] += verdict.seconds
    longest = max([*total.values(), 1e-9])
    bars = [
        {
            "id": identity,
            "y": 4 + number * _LINE,
            "width": round((_RIGHT - _LEFT - 50) * seconds / longest, 1),
            "label": f"{seconds:.2f} s",
        }
        for number, (identity, seconds) in enumerate(total.items())
    ]
    return {"bars": bars, "left": _LEFT, "height": 8 + len(bars) * _LINE}
