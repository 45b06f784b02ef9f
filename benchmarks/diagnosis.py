"""How often the diagnosis of a known fault is right, wrong, or absent.

    python benchmarks/diagnosis.py design|held-out|all|variants [--json FILE] [names …]

A fault belongs to the held-out quarter if the SHA-256 of its name is divisible by four: those
were not looked at while the alternatives were written. ``diagnosis_truth.toml`` lists the right
first answers. Each implementation is diagnosed in the same process, one after the other, without
the pattern of its violations: only what rests on numbers is measured here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from conformance.adapters.implementation import Implementation
from conformance.diagnosis import Diagnosis, diagnose
from conformance.engine.jax_runtime import remember_compilations

TRUTH = Path(__file__).with_name("diagnosis_truth.toml")


def held_out(name: str) -> bool:
    """Whether a fault was kept apart while the alternatives were written."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 4 == 0


def graded(right: list[str] | None, found: Diagnosis) -> str:
    """Return right, wrong, absent, or silent: nothing was said where nothing can be said."""
    said = found.kind in {"alternative", "observed"}
    if right is None:
        return "unlabelled"
    if said:
        return "right" if found.id in right else "wrong"
    return "absent" if right else "silent"


def chosen(part: str, names: list[str]) -> Mapping[str, Implementation]:
    """Return the implementations to diagnose by name."""
    if part == "variants":
        from impl import flax, reference
        from impl.variants import VARIANTS

        return {"impl": reference(), "flax": flax(), **VARIANTS}
    from impl.faulty import FAULTS

    def belongs(name: str) -> bool:
        if names:
            return name in names
        return part == "all" or held_out(name) == (part == "held-out")

    return {name: fault.implementation for name, fault in FAULTS.items() if belongs(name)}


def measure(part: str, names: list[str]) -> list[dict[str, object]]:
    """Diagnose and print, one line each; return the rows."""
    truth = tomllib.loads(TRUTH.read_text(encoding="utf-8"))
    rows: list[dict[str, object]] = []
    for name, implementation in chosen(part, names).items():
        started = time.perf_counter()
        found = diagnose(implementation)
        seconds = time.perf_counter() - started
        grade = graded([] if part == "variants" else truth.get(name), found)
        rows.append({"name": name, "grade": grade, "seconds": seconds, **found.to_json()})
        also = f" (also {len(found.also)})" if found.also else ""
        print(
            f"{grade:10} {name:40} {seconds:5.1f} s  {found.id} {found.sentence}{also}", flush=True
        )
    return rows


def main() -> None:
    """Measure one part of the gallery, or the correct variants."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("design", "held-out", "all", "variants"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    remember_compilations()
    rows = measure(options.part, options.names)
    counts = Counter(str(row["grade"]) for row in rows)
    signed = counts["right"] + counts["wrong"] + counts["absent"]
    slowest = sorted(float(str(row["seconds"])) for row in rows)
    print(dict(counts), f"{len(rows)} diagnosed; median {slowest[len(rows) // 2]:.1f} s")
    for grade in ("right", "wrong", "absent"):
        share = counts[grade] / max(signed, 1)
        print(f"{grade}: {counts[grade]} of {signed} with a numeric signature, {share:.0%}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
