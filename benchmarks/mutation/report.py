"""The result of a mutation run as text: figures, and every survivor with the verdict on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby

from conformance.mutation.mutants import Mutant
from mutation.record import EQUIVALENT, HOLE, OUT_OF_SCOPE, Opinion, Record

Opinions = dict[tuple[str, str], Opinion]

_NONE_YET = Opinion("no verdict yet", "To be looked at.")
_AROUND = 18
"""Characters shown on both sides of what an edit changes."""


def rendered(mutants: list[Mutant], record: Record, given: Opinions) -> str:
    """Return the figures, a comparison with flax's own tests, and every survivor."""
    of_flax = [mutant for mutant in mutants if _target(mutant) == "flax"]
    return "\n".join(
        [
            f"{figures(mutants, record, given)}\n\nJudged by {_cases(record)}.\n",
            f"# Beside flax's own tests\n\n{_beside(of_flax, record, given)}\n",
            f"# Survivors\n\n{_survivors(mutants, record, given)}",
        ]
    )


def _cases(record: Record) -> str:
    """Return how many cases per property the mutants were judged with."""
    given = Counter(
        r.get("cases", 100) for (*_, judge), r in record.results.items() if judge == "suite"
    )
    return " or ".join(f"{cases} cases per property ({n} mutants)" for cases, n in given.items())


def figures(mutants: list[Mutant], record: Record, given: Opinions) -> str:
    """Return the table of figures, and what is wrong with the verdicts."""
    rows = [
        [target, *_counts(list(group), record, given)]
        for target, group in groupby(mutants, key=_target)
    ]
    head = ["mutants of", "made", "killed", "equivalent", "out of scope", "holes", "no verdict"]
    table = _table([*head, "killed of those that could be"], rows)
    return "\n".join([table, *_complaints(mutants, record, given)])


def _counts(mutants: list[Mutant], record: Record, given: Opinions) -> list[str]:
    left = Counter(_opinion(mutant, given).verdict for mutant in _left(mutants, record))
    killed = sum(record.of(mutant, "suite").get("outcome") == "killed" for mutant in mutants)
    could = killed + left[HOLE] + left[_NONE_YET.verdict]
    counts = [len(mutants), killed, *(left[v] for v in (EQUIVALENT, OUT_OF_SCOPE, HOLE))]
    counts.append(left[_NONE_YET.verdict])
    return [*map(str, counts), f"{killed / could:.1%}" if could else "–"]


def _complaints(mutants: list[Mutant], record: Record, given: Opinions) -> list[str]:
    """Return what has to be put right before the figures can be trusted."""
    open_ = [m for m in mutants if not record.of(m, "suite")]
    odd = [r["id"] for r in record.results.values() if r.get("verdict") in {"errored", "vacuous"}]
    odd += [r["id"] for r in record.results.values() if r["outcome"] == "harness error"]
    left = {(m.identity, m.edit) for m in _left(mutants, record)}
    targets = {_target(m) for m in mutants}
    stale = [i for (i, e) in given if (i, e) not in left and i.rpartition("-")[0] in targets]
    problems = {
        "not judged yet": [m.identity for m in open_],
        "errored or vacuous, so that the suite itself needs a look": odd,
        "with a verdict that no longer applies": stale,
    }
    return [f"\n{len(ids)} {what}: {', '.join(ids[:20])}" for what, ids in problems.items() if ids]


def _beside(mutants: list[Mutant], record: Record, given: Opinions) -> str:
    """Return who kills what, with and without the mutants that are equivalent."""
    tested = [m for m in mutants if record.of(m, "upstream") and record.of(m, "suite")]
    apart = [m for m in tested if _killers(m, record) or _opinion(m, given).verdict != EQUIVALENT]
    shared = [
        m
        for m in apart
        if record.of(m, "suite")["outcome"] == "killed"
        or _opinion(m, given).verdict != OUT_OF_SCOPE
    ]
    rows = [
        _shares("all mutants", tested, record),
        _shares("without the equivalent", apart, record),
        _shares("and without those out of the suite's scope", shared, record),
    ]
    head = ["mutants of flax", "number", "killed by the suite", "by flax's own tests"]
    return _table([*head, "by both", "only by the suite", "only by flax's tests"], rows)


def _shares(name: str, mutants: list[Mutant], record: Record) -> list[str]:
    killers = Counter(_killers(mutant, record) for mutant in mutants)
    both, ours, theirs = killers["suite upstream"], killers["suite"], killers["upstream"]
    counts = (len(mutants), both + ours, both + theirs, both, ours, theirs)
    return [name, *map(str, counts)]


def _killers(mutant: Mutant, record: Record) -> str:
    judges = ("suite", "upstream")
    return " ".join(j for j in judges if record.of(mutant, j).get("outcome") == "killed")


def _left(mutants: Iterable[Mutant], record: Record) -> list[Mutant]:
    outcomes = {"survived", "not reached"}
    return [m for m in mutants if record.of(m, "suite").get("outcome") in outcomes]


def _survivors(mutants: list[Mutant], record: Record, given: Opinions) -> str:
    """Return a section per target and verdict, grouped by the reason."""
    order = [_NONE_YET.verdict, HOLE, EQUIVALENT, OUT_OF_SCOPE]
    sections = []
    for target, group in groupby(mutants, key=_target):
        left = _left(group, record)
        for verdict in order:
            these = [m for m in left if _opinion(m, given).verdict == verdict]
            if these:
                sections.append(f"### {target}: {verdict} ({len(these)})\n")
                sections += _by_reason(these, record, given)
    return "\n".join(sections)


def _by_reason(mutants: list[Mutant], record: Record, given: Opinions) -> list[str]:
    reasons = dict.fromkeys(_opinion(mutant, given).why for mutant in mutants)
    parts = []
    for why in reasons:
        rows = [
            [m.identity, f"{m.definition}, {m.line}", m.kind, _edit(m), _note(m, record)]
            for m in mutants
            if _opinion(m, given).why == why
        ]
        parts += [f"{why}\n", _table(["id", "in, line", "kind", "edit", "judged"], rows), ""]
    return parts


def _note(mutant: Mutant, record: Record) -> str:
    """Return how much of the suite a survivor has met, and whether flax's tests kill it."""
    result = record.of(mutant, "suite")
    note = "never executed" if result["outcome"] == "not reached" else "in full"
    if result.get("unchanged") and result["unchanged"] == result["entries"]:
        note = "same program"
    if record.of(mutant, "upstream").get("outcome") == "killed":
        note += "; killed by flax's tests"
    return note


def _edit(mutant: Mutant) -> str:
    before, after = shortened(mutant.before.strip(), mutant.after.strip())
    return f"`{before}` → `{after}`"


def shortened(before: str, after: str) -> tuple[str, str]:
    """Return both texts around the place where they differ."""
    if max(len(before), len(after)) <= 3 * _AROUND:
        return before, after
    start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    shorter = min(len(before), len(after)) - start
    end = next((i for i in range(shorter) if before[-1 - i] != after[-1 - i]), shorter)
    first, last = max(start - _AROUND, 0), max(end - _AROUND, 0)
    cut = [text[first : len(text) - last] for text in (before, after)]
    shown = [f"{'…' if first else ''}{text}{'…' if last else ''}" for text in cut]
    return shown[0], shown[1]


def _opinion(mutant: Mutant, given: Opinions) -> Opinion:
    return given.get((mutant.identity, mutant.edit), _NONE_YET)


def _target(mutant: Mutant) -> str:
    return mutant.identity.rpartition("-")[0]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
