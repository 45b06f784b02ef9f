"""Cases per second with the palette, and with unrestricted shapes: the same properties.

Each property runs in this process, eagerly, without a persistent compilation cache. With free
shapes N is drawn from 1 to 40 and D from 1 to 17 for each case anew.

Usage: python benchmarks/free_shapes.py [--cases 60]
"""

from __future__ import annotations

import argparse
import itertools
import time

import impl
from conformance.judging import Trial, judge
from conformance.profiles import budget
from conformance.properties import PROPERTIES
from conformance.strategies import palette
from conformance.subject import Subject

CHOSEN = ("BN-TRAIN-1", "BN-EMA-1", "BN-EVAL-1", "BN-AFF-1", "BN-IND-1")


def free_palette() -> tuple[palette.Entry, ...]:
    """Return every shape up to 40 × 17, with one configuration each."""
    shapes = itertools.product(range(1, 41), range(1, 18))
    configs = itertools.cycle((entry.momentum, entry.eps) for entry in palette.DEFAULT)
    return tuple(palette.Entry(rows, features, *next(configs)) for rows, features in shapes)


def seconds(subject: Subject, cases: int) -> float:
    """Return the wall time of the chosen properties."""
    started = time.perf_counter()
    for identity in CHOSEN:
        verdict = judge(Trial(PROPERTIES[identity], subject, budget(max_examples=cases)))
        assert verdict.cases >= cases // 2, verdict
    return time.perf_counter() - started


def rate(name: str, cases: int) -> float:
    """Print and return the cases per second."""
    taken = seconds(Subject(impl.reference()), cases)
    shares = sum(PROPERTIES[identity].share for identity in CHOSEN)
    per_second = shares * cases / taken
    print(f"| {name} | {shares * cases:.0f} | {taken:.1f} | {per_second:.0f} |", flush=True)
    return per_second


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=60)
    cases = parser.parse_args().cases
    print("| shapes | cases | s | cases per second |\n|---|---|---|---|")
    cold = rate("palette, cold", cases)
    warm = rate("palette, again", cases)
    default = palette.DEFAULT
    palette.DEFAULT = free_palette()
    free = rate("unrestricted", cases)
    palette.DEFAULT = default
    print(f"\npalette ÷ unrestricted: cold {cold / free:.1f}, again {warm / free:.1f}")


if __name__ == "__main__":
    main()
