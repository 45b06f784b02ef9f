"""The page docs/findings.md: conclusion, causes by severity, what is new, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from cause_texts import SEVERITIES, read
from causes import CAUSES
from comparison import table

Data = Mapping[str, Any]

_HEAD = """# Findings in other frameworks

Generated from `docs/data` by `python tools/docs/generate.py`; do not edit. `tox -e peers` judges
every framework again, and shows every cause.

This page lists what the suite finds in Batch Normalization as the frameworks ship it. A violation
means that a requirement of this suite is not met; if a framework documents a different convention,
its page says so. Every implementation was judged in the default profile without a time limit.

{conclusion}

Each cause has a page that can be sent to the framework as an issue: with a script that needs only
the framework, what is expected and what is got, the place in the source, a change, and a test. The
tool runs the script, applies the change to a copy of the installed framework, and runs script and
test again. A violation is assigned to a cause by its evidence, and the tool fails while any
violation is unassigned. Every verdict and every violation is in
[data/findings.json](data/findings.json), what the scripts print in
[data/demonstrations.json](data/demonstrations.json).

- A layer that declares a convention or an extended domain is judged by its declaration. Every entry
  declares the masks, feature axes, dtypes and named axes that its layer has. `flax-default`
  declares its one-pass variance; *strict* ignores that declaration (`--ignore-declarations`) and
  shows what it costs.
- What is declared is a promise, so the requirements about values in an extended domain are MUST,
  but for the accuracy of inputs of 16 bits (BN-TYPE-1, BN-TYPE-4).
  `conformance run flax` exits with 1: a 16-bit dtype, “the dtype of the result”, also rounds
  the statistics in evaluation (BN-TYPE-1), and a mask, “the positions for which the mean and
  variance should be computed”, with a named axis gives those of other positions (BN-SYNC-2).
- Keras raises for a mask on a single feature, which hides whatever else is wrong with masks.
  *Worked around* is the same layer with a single feature computed as one of two equal ones
  (`tools/docs/keras_workaround.py`), judged on masks alone.
- Equinox with mode="ema" starts its running statistics at 0 and 0, and uses them in evaluation
  before the first batch. That one cause violates every requirement that evaluates a fresh layer,
  so compare causes rather than numbers of violated requirements.

Versions: {versions}.
"""


def findings_page(now: Data, before: Data, shown: Data) -> str:
    """Return the page.

    Args:
        now: What `findings.py` stores of the current run.
        before: What it stored of the last one.
        shown: What `demonstrate.py` stores, by cause.
    """
    versions = ", ".join(f"{name} {number}" for name, number in now["versions"].items())
    present = sorted(occurring(now), key=lambda cause: read(cause).rank)
    head = _HEAD.format(conclusion=_conclusion(present, now), versions=versions)
    lines = [head, "## Causes\n", *_causes(present, now, shown), "\n## New since the last run\n"]
    return "\n".join([*lines, *table(before, now), "\n## Summary\n", *_summary(now), ""])


def occurring(run: Data) -> list[str]:
    """Return the causes that occur, in the order of the list of causes."""
    found = {each["cause"] for each in run["violations"]}
    return [cause.name for cause in CAUSES if cause.name in found]


def _conclusion(causes: list[str], now: Data) -> str:
    count = Counter(read(cause).severity for cause in causes)
    counted = ", ".join(f"{count[each]} *{each}*" for each in SEVERITIES if count[each])
    clean = [
        name
        for name, layer in now["implementations"].items()
        if not {"violates", "vacuous", "errored"} & set(layer["outcomes"].values())
    ]
    return (
        f"**{len(now['violations'])} violations have {len(causes)} causes**: {counted}. Nothing is "
        f"violated by {', '.join(clean)}."
    )


def _causes(causes: list[str], now: Data, shown: Data) -> list[str]:
    """Return the scale of severities, and a row for each cause."""
    lines = [f"- **{name}**: {meaning}" for name, meaning in SEVERITIES.items()]
    lines += ["", "| severity | cause | framework | violations |", "|---|---|---|---|"]
    for cause in causes:
        text = read(cause)
        count = sum(each["cause"] == cause for each in now["violations"])
        name, number = next(iter(shown[cause]["versions"].items()))
        title = f"[{text.title}](findings/{cause}.md)"
        lines.append(f"| {text.severity} | {title} | {name} {number} | {count} |")
    return lines


def _summary(now: Data) -> list[str]:
    lines = [
        "| implementation | kind | conforms | deviates | violates | declares |",
        "|---|---|---|---|---|---|",
    ]
    for name, layer in now["implementations"].items():
        count = Counter(layer["outcomes"].values())
        counts = (str(count[outcome]) for outcome in ("conforms", "deviates", "violates"))
        declared = ", ".join(layer["declared"])
        lines.append(f"| {name} | {layer['kind']} | {' | '.join(counts)} | {declared} |")
    return lines
