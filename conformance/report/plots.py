"""Where the dots and bars of the HTML report go; the template draws them as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from conformance.report.model import Report

_LINE = 14
_LEFT, _RIGHT = 120, 690
_TOP = 28


def errors(report: Report, identities: list[str]) -> dict[str, Any]:
    """Return the worst error ÷ bound of each verdict on a log scale.

    The scale ends where the data do, a decade beyond 1 at least; what is 0 is at its left end,
    what is infinite or no number at its right end.
    """
    series = {name: n % 6 for n, name in enumerate(report.header.implementations)}
    by_requirement: dict[str, list[Any]] = {}
    for verdict in report.verdicts:
        if verdict.worst is not None:
            by_requirement.setdefault(verdict.requirement, []).append(verdict)
    finite = [
        math.log10(v.worst)
        for found in by_requirement.values()
        for v in found
        if 0 < v.worst < math.inf
    ]
    low = max(-12, math.floor(min([-2.0, *finite])))
    high = min(12, math.ceil(max([1.0, *finite])))
    scale = (_RIGHT - _LEFT) / (high - low)

    def place(value: float) -> float:
        if value == 0:
            return _LEFT
        if not value < math.inf:
            return _RIGHT
        return round(_LEFT + (min(max(math.log10(value), low), high) - low) * scale, 1)

    lines: list[dict[str, Any]] = []
    for identity in (i for i in identities if i in by_requirement):
        dots = [
            {
                "series": series.get(v.implementation, 0),
                "x": place(v.worst),
                "title": f"{identity} {v.implementation}: {v.worst:.3g}",
            }
            for v in by_requirement[identity]
        ]
        lines.append({"id": identity, "y": _TOP + len(lines) * _LINE, "dots": dots})
    step = max(1, (high - low) // 8)
    marks = sorted({*range(low, high + 1, step), 0})
    ticks = [
        {"x": place(10.0**d), "limit": d == 0, "label": "1" if d == 0 else f"1e{d}"} for d in marks
    ]
    return {"lines": lines, "ticks": ticks, "height": _TOP + len(lines) * _LINE + 6}


def times(report: Report, identities: list[str]) -> dict[str, Any]:
    """Return the seconds of each requirement, over all implementations, as bars."""
    total = dict.fromkeys(identities, 0.0)
    for verdict in report.verdicts:
        total[verdict.requirement] += verdict.seconds
    longest = max([*total.values(), 1e-9])
    bars = [
        {
            "id": identity,
            "y": 4 + number * _LINE,
            "width": round(500 * seconds / longest, 1),
            "label": f"{seconds:.2f} s",
        }
        for number, (identity, seconds) in enumerate(total.items())
    ]
    return {"bars": bars, "height": 8 + len(bars) * _LINE}


def kills(faults: Mapping[str, Any], identities: list[str]) -> dict[str, Any]:
    """Return which fault violates which requirement, a path of small squares for each fault."""
    column = {identity: 220 + 6 * number for number, identity in enumerate(identities)}
    lines = []
    for number, (name, fault) in enumerate(faults.items()):
        y = 12 + number * _LINE
        squares = (
            f"M{column[i]} {y - 4}h5v8h-5z" for i in fault.get("violates", ()) if i in column
        )
        title = str(fault.get("sentence", ""))
        lines.append({"name": name, "y": y, "path": "".join(squares), "title": title})
    width = 230 + 6 * len(identities)
    return {"lines": lines, "width": width, "height": 20 + len(lines) * _LINE}
