"""What is new in the findings since the last run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Run = Mapping[str, Any]
"""What `findings.py` stores of a run: versions, implementations, violations."""

Found = tuple[str, str]
"""An implementation and a requirement that it violates."""


@dataclass(frozen=True, slots=True)
class Change:
    """How the findings with one cause in one framework changed.

    Attributes:
        framework: The distribution.
        versions: Its version in the last run and in this one; one of them if they are equal.
        cause: The cause; empty if none is known.
        kind: ``new``, ``gone`` or ``changed``.
        added: What is violated now and was not, or was not judged.
        removed: What was violated and is not any more, or is not judged.
    """

    framework: str
    versions: str
    cause: str
    kind: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


def compare(before: Run, now: Run) -> list[Change]:
    """Return what changed, by framework and cause; causes with equal findings are left out."""
    old, new = _by_cause(before), _by_cause(now)
    changes = []
    for framework, cause in dict.fromkeys((*new, *old)):
        had, has = old.get((framework, cause), set()), new.get((framework, cause), set())
        if had != has:
            changes.append(
                Change(
                    framework,
                    _versions(framework, before, now),
                    cause,
                    "changed" if had and has else "new" if has else "gone",
                    _listed(has - had, before, "not judged before"),
                    _listed(had - has, now, "not judged now"),
                )
            )
    return changes


def unchanged(before: Run, now: Run) -> int:
    """Return how many causes have the same findings in both runs, by framework and cause."""
    old, new = _by_cause(before), _by_cause(now)
    return sum(old.get(key) == found for key, found in new.items())


def _by_cause(run: Run) -> dict[tuple[str, str], set[Found]]:
    found: dict[tuple[str, str], set[Found]] = defaultdict(set)
    for each in run["violations"]:
        name = each["implementation"]
        key = run["implementations"][name]["distribution"], each["cause"] or ""
        found[key].add((name, each["requirement"]))
    return dict(found)


def _versions(framework: str, before: Run, now: Run) -> str:
    both = (run["versions"].get(framework, "not judged") for run in (before, now))
    return " → ".join(dict.fromkeys(both))


def _listed(found: set[Found], other: Run, note: str) -> tuple[str, ...]:
    """Return findings in words, with a note on those that the other run did not judge."""
    rows: dict[str, list[str]] = defaultdict(list)
    for name, requirement in sorted(found):
        seen = _judged(name, requirement, other)
        rows[name if seen else f"{name} ({note})"].append(requirement.removeprefix("BN-"))
    return tuple(f"{', '.join(ids)} by {name}" for name, ids in rows.items())


def _judged(name: str, requirement: str, run: Run) -> bool:
    return requirement in run["implementations"].get(name, {}).get("outcomes", {})


def table(before: Run, now: Run) -> list[str]:
    """Return the lines of a Markdown section: a row for each change."""
    since, same = before["run"]["date"], unchanged(before, now)
    head = (
        f"Since the run of {since}, {same} of {len(_by_cause(now))} causes have the same findings"
    )
    changes = compare(before, now)
    if not changes:
        return [f"{head}; none is new, gone or changed."]
    lines = [
        f"{head}.\n",
        "| framework | versions | cause | change | violated now | not violated any more |",
        "|---|---|---|---|---|---|",
    ]
    for each in changes:
        has_page = each.cause and each.kind != "gone"
        cause = f"[{each.cause}](findings/{each.cause}.md)" if has_page else each.cause
        cells = (each.framework, each.versions, cause or "none is known", each.kind)
        lines.append(
            f"| {' | '.join(cells)} | {'; '.join(each.added)} | {'; '.join(each.removed)} |"
        )
    return lines
