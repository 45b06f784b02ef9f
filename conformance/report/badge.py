"""The report as an SVG badge: the level reached, the suite's version, the exceptions."""

from __future__ import annotations

from html import escape

from conformance.adapters.errors import printable
from conformance.report.model import Report
from conformance.report.summary import Summary, describe_gap, pluralize, summarize
from conformance.report.text import is_other_edition

_GREEN, _AMBER, _RED = "#2b7a3d", "#8a5a00", "#b3261e"
_ADVANCE = 6.7
"""Width of a letter at 11 px, in px; `textLength` forces it on any font."""


def badge_texts(report: Report) -> tuple[str, str, str]:
    """Return label, message and color; only a complete run of all requirements is green."""
    sums, why = summarize(report.verdicts), describe_gap(report)
    suite = report.header.environment.get("batchnorm-conformance", "of unknown version")
    if is_other_edition(report.header):
        suite += f", edition {report.header.edition}"
    level, colour = _level(sums)
    scopes = report.scopes()
    parts = [why] if why else []
    if len(scopes) == 1:
        parts.append(next(iter(scopes.values())).sentence())
    elif scopes:
        parts.append(f"{len(scopes)} implementations judged in part")
    if parts:
        level = f"{level} ({'; '.join(parts)})"
    if (why or any(scope.driven for scope in scopes.values())) and not sums.must:
        colour = _AMBER
    exceptions = f"{pluralize(sums.waivers, 'waiver')} · {pluralize(sums.deviations, 'deviation')}"
    return f"BatchNorm conformance {suite}", f"{level} · {exceptions}", colour


def _level(sums: Summary) -> tuple[str, str]:
    """Return the level that was reached, and its color; a waived requirement was not reached."""
    if not sums.applicable:
        return "not judged", _AMBER
    if sums.must:
        return f"fails {sums.must} MUST", _RED
    if sums.waived_must:
        return f"waives {sums.waived_must} MUST", _AMBER
    return ("MUST", _AMBER) if sums.should or sums.waivers else ("MUST + SHOULD", _GREEN)


def to_badge(report: Report) -> str:
    """Return the badge as a self-contained SVG with a text alternative."""
    label, message, colour = badge_texts(report)
    label, message = printable(label), printable(message)
    left, right = (round(len(text) * _ADVANCE) + 12 for text in (label, message))
    name = escape(f"{label}: {message}")
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" \
aria-label="{name}">
<title>{name}</title>
<rect width="{left + right}" height="20" rx="3" fill="{colour}"/>
<path d="M3 0H{left}V20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="#444"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="6" y="14" textLength="{left - 12}">{escape(label)}</text>
<text x="{left + 6}" y="14" textLength="{right - 12}">{escape(message)}</text>
</g>
</svg>
"""
