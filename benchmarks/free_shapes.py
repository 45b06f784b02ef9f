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
from conformance.engine.budget import budget
from conformance.engine.judge import PropertyRun, judge
from conformance.properties import PROPERTIES
from conformance.properties.support.subject import Subject
from conformance.strategies import shape_grid

CHOSEN = ("BN-TRAIN-1", "BN-EMA-1", "BN-EVAL-1", "BN-AFF-1", "BN-IND-1")


def free_palette() -> tuple[shape_grid.Entry, ...]:
    """Return every shape up to 40 × 17, with one configuration each."""
    shapes = itertools.product(range(1, 41), range(1, 18))
    configs = itertools.cycle((entry.momentum, entry.eps) for entry in shape_grid.DEFAULT)
    return tuple(shape_grid.Entry(rows, features, *next(configs)) for rows, features in shapes)


def judge_all(subject: Subject, cases: int) -> tuple[int, float]:
    """Return how many cases were judged by the chosen properties, and in how many seconds."""
    started, count = time.perf_counter(), 0
    for identity in CHOSEN:
        verdict = judge(PropertyRun(PROPERTIES[identity], subject, budget(max_examples=cases)))
        assert not verdict.outcome.bad, verdict
        count += verdict.cases
    return count, time.perf_counter() - started


def rate(name: str, cases: int) -> float:
    """Print and return the cases per second."""
    count, taken = judge_all(Subject(impl.reference()), cases)
    print(f"| {name} | {count} | {taken:.1f} | {count / taken:.0f} |", flush=True)
    return count / taken


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100)
    cases = parser.parse_args().cases
    print("| shapes | cases | s | cases per second |\n|---|---|---|---|")
    cold = rate("palette, cold", cases)
    warm = rate("palette, its shapes known", 4 * cases)
    default, grid = shape_grid.palette_of, free_palette()
    shape_grid.palette_of = lambda _: grid
    free = rate("unrestricted", cases)
    shape_grid.palette_of = default
    print(f"\npalette ÷ unrestricted: cold {cold / free:.1f}, shapes known {warm / free:.1f}")


if __name__ == "__main__":
    main()
