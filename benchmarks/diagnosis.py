"""How often the diagnosis of a known fault is right, wrong, or absent.

    python benchmarks/diagnosis.py PART [--unnamed] [names …]

where PART is design, held-out, all, variants, modelled, or combined, combined-held-out.

A fault belongs to the held-out quarter if the SHA-256 of its name is divisible by four: those
were not looked at while the alternatives were written. The right answers are in the records of
the faults; an alternative that is run as a layer ("modelled") is diagnosed as itself, or as one
that computes the same. Of layers with several mistakes ("combined") each must be named: an answer
that names some of them, and nothing else, is "partly" right. Each implementation is diagnosed in
the same process, one after the other.
``--unnamed`` lists only the faults whose numbers differ from the truth and that get no name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from conformance.adapters.implementation import Implementation
from conformance.diagnosis.diagnosis import investigate
from conformance.diagnosis.fault_models import ALTERNATIVES
from conformance.diagnosis.record import Diagnosis
from conformance.engine.jax_runtime import remember_compilations, share_lowering_contexts
from conformance.properties.support.subject import Subject

Mistakes = tuple[tuple[str, ...], ...]
"""For each mistake the right ids of its diagnosis."""

Chosen = Mapping[str, tuple[Implementation, Mistakes]]
"""Implementations by name, each with its mistakes."""


PARTS = (
    *("design", "held-out", "all", "variants", "modelled"),
    *("combined", "combined-held-out"),
)


def held_out(name: str) -> bool:
    """Whether a fault was kept apart while the alternatives were written."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 4 == 0


def grade(mistakes: Mistakes, found: tuple[Diagnosis, ...]) -> str:
    """Return "right", "partly", "wrong", "absent", or "silent" where there is nothing to say."""
    if found[0].kind == "none":
        return "absent" if any(mistakes) or found[0].deviating else "silent"
    named = {each.id for each in found}
    if not all(any(identity in right for right in mistakes) for identity in named):
        return "wrong"
    return "right" if all(named.intersection(right) for right in mistakes) else "partly"


def choose(part: str, names: list[str]) -> Chosen:
    """Return the implementations to diagnose: a part of the gallery, or the correct variants."""
    if part == "variants":
        from impl import flax, reference
        from impl.variants import VARIANTS

        correct = {"impl": reference(), "flax": flax(), **VARIANTS}
        return {name: (implementation, ((),)) for name, implementation in correct.items()}
    if part.startswith("combined"):
        from impl.combined import COMBINED

        apart = part == "combined-held-out"
        return {
            name: (layer.implementation, layer.mistakes)
            for name, layer in COMBINED.items()
            if (name in names if names else held_out(name) == apart)
        }
    if part == "modelled":
        from conformance.diagnosis.modelled_gallery import MODELLED as FAULTS
    else:
        from impl.faulty import FAULTS

    def belongs(name: str) -> bool:
        if names:
            return name in names
        return part in {"all", "modelled"} or held_out(name) == (part == "held-out")

    return {
        name: (fault.implementation, (fault.named_by(ALTERNATIVES),))
        for name, fault in FAULTS.items()
        if belongs(name)
    }


def measure(chosen: Chosen) -> Iterator[dict[str, object]]:
    """Diagnose one implementation after the other; yield a row for each."""
    for name, (implementation, mistakes) in chosen.items():
        started = time.perf_counter()
        answer = investigate(Subject(implementation))
        seconds = time.perf_counter() - started
        found = (answer.diagnosis, *answer.further)
        row = {"name": name, "grade": grade(mistakes, found), "seconds": seconds}
        further = {"further": [each.to_json() for each in answer.further]}
        yield {**row, **answer.diagnosis.to_json(), **further}


def show(row: Mapping[str, object]) -> None:
    """Print one row."""
    also = f" (also {len(row['also'])})" if "also" in row else ""
    ids = "+".join(str(each.get("id", "")) for each in (row, *row["further"]))
    said = f"{ids} {row.get('sentence', '')}{also}"
    print(f"{row['grade']:10} {row['name']:40} {row['seconds']:5.1f} s  {said}", flush=True)


def summarize(rows: list[dict[str, object]]) -> None:
    """Print how many diagnoses are right, wrong and absent."""
    counts = Counter(str(row["grade"]) for row in rows)
    signed = counts.total() - counts["silent"]
    times = sorted(float(str(row["seconds"])) for row in rows)
    print(dict(counts), f"{len(rows)} diagnosed; median {times[len(rows) // 2]:.1f} s")
    for each in ("right", "partly", "wrong", "absent"):
        share = counts[each] / max(signed, 1)
        print(f"{each}: {counts[each]} of {signed} with a numeric signature, {share:.0%}")


def main() -> None:
    """Measure one part of the gallery, or the correct variants."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--unnamed", action="store_true", help="list what gets no name")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    remember_compilations()
    share_lowering_contexts()
    rows = []
    for row in measure(choose(options.part, options.names)):
        rows.append(row)
        if not options.unnamed or row["grade"] == "absent":
            show(row)
    if not options.unnamed:
        summarize(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
