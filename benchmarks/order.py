"""In which order requirements find the faults of the gallery soonest: greedily, kills per second.

The first few are fixed: plain statements about one call, which are the most useful answer where
they are violated. Prints the tuple for conformance/engine/scheduling.py, and how long one process
judges until the first violation, over the gallery, in that order and in the present one.

Usage: conformance run impl flax -j 1 --report FILE; python benchmarks/order.py FILE
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from conformance.engine.scheduling import order_by_power
from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS, select

FIRST = ("BN-INIT-8", "BN-TRAIN-1", "BN-EVAL-1", "BN-EMA-1", "BN-EMA-2")
_MATRIX = Path(__file__).parent / "results" / "kill-matrix.json"
_SHORTEST = 0.03
"""Seconds that a requirement takes at least; below that, figures are noise."""

Kills = dict[str, set[str]]


def kills() -> Kills:
    """Return, for each fault, the requirements that it violates."""
    faults = json.loads(_MATRIX.read_text())["faults"]
    return {name: {*fault["violates"], *fault["breaks"]} for name, fault in faults.items()}


def greedy(found: Kills, seconds: dict[str, float]) -> list[str]:
    """Return requirements until every fault is found, by kills per second among those left."""
    order, left = list(FIRST), {name for name, by in found.items() if not by & set(FIRST)}
    rest = [row.id for row in select(REQUIREMENTS) if row.id not in FIRST]

    def rate(identity: str) -> float:
        caught = sum(identity in found[name] for name in left)
        return caught / max(_SHORTEST, seconds.get(identity, _SHORTEST))

    while left and rest:
        best = max(rest, key=rate)
        order.append(best)
        rest.remove(best)
        left = {name for name in left if best not in found[name]}
    return order


def times_to_detection(
    order: Sequence[str], found: Kills, seconds: dict[str, float]
) -> list[float]:
    """Return the seconds after which each fault's first requirement has been judged, sorted."""
    passed, when = 0.0, dict.fromkeys(found, float("inf"))
    for identity in order:
        passed += seconds.get(identity, 0.0)
        for name, by in found.items():
            if identity in by:
                when[name] = min(when[name], passed)
    return sorted(when.values())


def main() -> None:
    """Print the order, and what it is worth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    seconds: dict[str, float] = {}
    for verdict in Report.read(parser.parse_args().report).verdicts:
        identity = verdict.requirement
        seconds[identity] = max(verdict.seconds, seconds.get(identity, 0.0))
    found = kills()
    order = greedy(found, seconds)
    print(json.dumps([identity.removeprefix("BN-") for identity in order]))
    present = [row.id for row in order_by_power(list(select(REQUIREMENTS)))]
    for name, rows in (("present", present), ("greedy", [*order, *set(present) - set(order)])):
        times = times_to_detection(rows, found, seconds)
        print(f"{name}: median {times[len(times) // 2]:.1f} s, nine in ten ≤ ", end="")
        print(f"{times[int(0.9 * len(times))]:.1f} s")


if __name__ == "__main__":
    main()
