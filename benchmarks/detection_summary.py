"""Turn what benchmarks/detection.py measured into tables, and into budgets.

A case detects a fault with some probability p, estimated over all seeds together as
detections ÷ cases. The first case of every run is the same, the simplest one; where it does not
detect the fault it is left out of both. A default run misses the fault with probability Π (1−p)ⁿ
over the listed requirements, n being the cases that each of them gets. A property that walks
through palettes gives each of them its own n, and a fault shows at some of them: there, cases
count from the start of the palette in which the fault was detected.

Usage: python benchmarks/detection_summary.py FILE [--csv FILE] [--worst 15]
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from detection import MAX_EXAMPLES

from conformance.engine.budget import budget
from conformance.engine.budget import cases_of as budgeted
from conformance.properties import PROPERTIES

ALLOWED = 1e-3


def cases_of(identity: str, max_examples: int) -> int:
    """Return how many cases a requirement gets, on each of its palettes."""
    return budgeted(PROPERTIES[identity].share, max_examples)


@dataclass(frozen=True, slots=True)
class Pair:
    """What was measured for one fault and one requirement."""

    fault: str
    requirement: str
    cases: list[int]
    undetected: int

    @property
    def tries(self) -> list[int]:
        """Cases to detection, counted from the start of the palette."""
        if not PROPERTIES[self.requirement].palettes:
            return self.cases
        per_palette = cases_of(self.requirement, MAX_EXAMPLES)
        return [(count - 1) % per_palette + 1 for count in self.cases]

    @property
    def _spared(self) -> int:
        """1 if the first case, which no seed changes, does not detect the fault, else 0."""
        return int(min(self.tries) > 1)

    @property
    def _cases_tried(self) -> int:
        return sum(self.tries) - self._spared * len(self.tries)

    @property
    def chance(self) -> float:
        """The estimated probability that a case detects the fault."""
        return (len(self.cases) - self.undetected) / self._cases_tried

    @property
    def log_missed(self) -> float:
        """The logarithm of the probability that the default budget misses it.

        One more undetected case than was seen keeps a perfect record from meaning certainty.
        """
        chance = (len(self.cases) - self.undetected) / (self._cases_tried + 1)
        if chance >= 1:
            return -math.inf
        cases = cases_of(self.requirement, budget().max_examples) - self._spared
        return cases * math.log1p(-chance)

    def quantile(self, share: float) -> int:
        """Return a quantile of the cases to detection."""
        return sorted(self.tries)[min(len(self.tries) - 1, math.ceil(share * len(self.tries)) - 1)]


def read(path: Path) -> list[Pair]:
    """Return the measured pairs whose requirement still has a property."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    pairs = [
        Pair(*(line[k] for k in ("fault", "requirement", "cases", "undetected"))) for line in lines
    ]
    return [pair for pair in pairs if pair.requirement in PROPERTIES]


def print_faults(pairs: list[Pair], worst: int) -> None:
    """Print the distribution over faults, and the faults that are hardest to detect."""
    of_fault = defaultdict(list)
    for pair in pairs:
        of_fault[pair.fault].append(pair)
    missed = {name: math.exp(sum(p.log_missed for p in own)) for name, own in of_fault.items()}
    best = {name: min(p.quantile(0.5) for p in own) for name, own in of_fault.items()}
    late = {name: min(p.quantile(0.95) for p in own) for name, own in of_fault.items()}
    print(f"{len(of_fault)} faults, {len(pairs)} pairs, {len(pairs[0].cases)} seeds")
    for title, values in (("median", best), ("95th percentile", late)):
        counts = sorted(values.values())
        print(
            f"cases to first detection, {title} over seeds: median over faults "
            f"{statistics.median(counts):.0f}, 95 % of faults ≤ {counts[int(0.95 * len(counts))]}, "
            f"largest {counts[-1]}"
        )
    print(
        f"faults missed in more than 1 of 1,000 runs: {sum(v > ALLOWED for v in missed.values())}"
    )
    print("\n| fault | requirement | median | 95 % | chance per case | missed in a default run |")
    print("|---|---|---|---|---|---|")
    for name in sorted(missed, key=missed.__getitem__, reverse=True)[:worst]:
        for pair in of_fault[name]:
            shown = (pair.quantile(0.5), pair.quantile(0.95), f"{pair.chance:.3f}")
            cells = (f"`{name}`", pair.requirement, *map(str, shown), f"{missed[name]:.1e}")
            print("| " + " | ".join(cells) + " |")


def print_budgets(pairs: list[Pair]) -> None:
    """Print, for each requirement, the cases that its hardest own fault needs.

    A fault is a requirement's own if no other requirement that its record lists detects it
    within its budget as surely.
    """
    of_fault = defaultdict(list)
    for pair in pairs:
        of_fault[pair.fault].append(pair)
    needed: dict[str, tuple[float, str]] = {}
    for name, own in of_fault.items():
        best = min(own, key=lambda pair: pair.log_missed)
        chance = min(best.chance, 1 - 1e-9)
        cases = math.ceil(math.log(ALLOWED) / math.log1p(-chance)) if chance else math.inf
        needed[best.requirement] = max(needed.get(best.requirement, (0, "")), (cases, name))
    print("\n| requirement | cases | needed for 1 in 1,000 | by |\n|---|---|---|---|")
    for identity in (name for name, prop in PROPERTIES.items() if prop.strategies):
        cases, name = needed.get(identity, (0, "–"))
        has = cases_of(identity, budget().max_examples)
        print(f"| {identity} | {has} | {cases or '–'} | `{name}` |")


def main() -> None:
    """Print the tables; write one line per pair as CSV if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--worst", type=int, default=15)
    options = parser.parse_args()
    pairs = read(options.file)
    print_faults(pairs, options.worst)
    print_budgets(pairs)
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(
                ("fault", "requirement", "seeds", "undetected", "median", "p95", "chance")
            )
            for pair in sorted(pairs, key=lambda p: (p.fault, p.requirement)):
                own = (pair.fault, pair.requirement, len(pair.cases), pair.undetected)
                writer.writerow(
                    (*own, pair.quantile(0.5), pair.quantile(0.95), f"{pair.chance:.4f}")
                )


if __name__ == "__main__":
    main()
