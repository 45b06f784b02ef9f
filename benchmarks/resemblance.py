"""How good the neighbours in the kill matrix are: each fault against all the others.

A fault is taken out of the matrix and looked up by what it violates. The answer is counted as
right if the two are of one family or their records name a requirement in common.

Usage: python benchmarks/resemblance.py [--show]
"""

from __future__ import annotations

import argparse

from conformance.diagnosis.neighbours import nearest
from conformance.report.kill_matrix import known_faults


def main() -> None:
    """Print how often there is an answer, and how often it is right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print each pair")
    options = parser.parse_args()
    matrix = known_faults()
    right, answered = 0, 0
    for name, fault in matrix.items():
        others = {other: row for other, row in matrix.items() if other != name}
        found = nearest(fault["violates"], others, fault["judged"])
        if found is None:
            continue
        other = others[found.name]
        near = other["family"] == fault["family"] or set(other["breaks"]) & set(fault["breaks"])
        answered, right = answered + 1, right + bool(near)
        if options.show:
            print("right" if near else "WRONG", name, "→", found.name, f"{found.similarity:.2f}")
    print(f"{len(matrix)} faults: {answered} resemble another one, {right} of them rightly")


if __name__ == "__main__":
    main()
