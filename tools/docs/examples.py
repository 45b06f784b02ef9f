"""Records an example that fails for each requirement: a fault and its smallest counterexample.

Usage: python tools/docs/examples.py [ID ...] [--missing]

The plainest faults that name the requirement are judged by it, and the one with the shortest
counterexample is kept in docs/data/examples.json, if it fails in another process as well: a fault
that remembers calls may need earlier ones. An example is up to date if neither the suite nor the
modules of its fault changed since. Each is written as soon as it is found, so the command can be
interrupted.
``--missing`` records only what has none, for a new requirement.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

from evidence import last_change
from fault_code import codes
from steps import STEPS

from conformance.adapters.gallery import load_members
from conformance.engine.budget import Budget, budget
from conformance.engine.journal import digest
from conformance.requirements import REQUIREMENTS, Requirement
from conformance.requirements.verdict import Violation

FILE = Path(__file__).parents[2] / "docs" / "data" / "examples.json"
CANDIDATES = 3
"""Faults that are judged for each requirement; the first that name it are as good as any."""


def read() -> dict[str, Any]:
    """Return the recorded example of each requirement, by id."""
    stored: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return stored


def write(examples: dict[str, Any]) -> None:
    """Write the examples in the order of the table, a line each."""
    kept = [identity for identity in REQUIREMENTS if identity in examples]
    lines = (
        f"{json.dumps(i)}: {json.dumps(examples[i], ensure_ascii=False, allow_nan=False)}"
        for i in kept
    )
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def candidates(identity: str) -> list[Any]:
    """Return the faults that name a requirement, the plainest first.

    Plain is what names this requirement first, declares nothing, and has little code.
    """

    def order(fault: Any) -> tuple[bool, bool, int]:
        declares = bool(fault.implementation.deviations)
        return fault.breaks[0] != identity, declares, len(codes()[fault.name].text)

    return sorted((f for f in load_members("fault").values() if identity in f.breaks), key=order)


def example(row: Requirement, chosen: Budget, excluded: Collection[str]) -> dict[str, Any]:
    """Return the shortest counterexample that a few faults have for a requirement.

    Args:
        row: The requirement.
        chosen: How many cases to try.
        excluded: Faults that have none that can be shown.

    Raises:
        RuntimeError: No other fault violates it.
    """
    plain = [fault for fault in candidates(row.id) if fault.name not in excluded]
    found = [
        (fault, violation)
        for fault in plain[:CANDIDATES]
        if (violation := _violation_of(row, fault, chosen))
    ]
    if not found:
        msg = f"no fault violates {row.id}: look at `conformance faults`"
        raise RuntimeError(msg)
    fault, violation = min(found, key=lambda pair: _length(*pair))
    return {
        "fault": fault.name,
        "finding": violation.finding.to_json(),
        "inputs": violation.inputs,
        "values": violation.values,
        "commit": last_change(STEPS["matrix"].sources),
        "digest": digest(fault.module, chosen),
    }


def _violation_of(
    row: Requirement, fault: Any, chosen: Budget, values: Any = None
) -> Violation | None:
    # these are imported after the devices are set
    from conformance.engine.judge import judge_requirement  # noqa: PLC0415
    from conformance.properties.support.subject import Subject  # noqa: PLC0415

    return judge_requirement(row, Subject(fault.implementation), chosen, values).violation


def _length(fault: Any, violation: Violation) -> tuple[bool, int]:
    """Return how long an example is; an exception shows less than a number, however short."""
    return fault.raises, len(json.dumps(violation.inputs)) + len(codes()[fault.name].text)


def wanted(examples: dict[str, Any], chosen: Budget, *, missing: bool) -> list[str]:
    """Return the requirements whose example is to be recorded."""
    faults = load_members("fault")

    def current(identity: str) -> bool:
        known = examples.get(identity)
        if known is None or known["fault"] not in faults:
            return False
        return missing or known["digest"] == digest(faults[known["fault"]].module, chosen)

    return [row.id for row in REQUIREMENTS.values() if row.mistakes and not current(row.id)]


def main() -> None:
    """Record what is out of date, one requirement after the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("--missing", action="store_true", help="only what has no example")
    parser.add_argument("--replay", action="store_true", help="print the ids whose example passes")
    options = parser.parse_args()
    from conformance.engine import jax_runtime  # noqa: PLC0415  as `conformance faults` does

    jax_runtime.remember_compilations()
    jax_runtime.offer_host_devices()
    jax_runtime.share_lowering_contexts()
    if options.replay:
        print("\n".join(_passing(options.ids)))
        return
    chosen, examples = budget(), read() if FILE.is_file() else {}
    excluded: dict[str, set[str]] = defaultdict(set)
    names = options.ids or wanted(examples, chosen, missing=options.missing)
    while names:
        for identity in names:
            examples[identity] = example(REQUIREMENTS[identity], chosen, excluded[identity])
            write(examples)
            print(identity, examples[identity]["fault"], flush=True)
        command = [sys.executable, __file__, "--replay", *names]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        names = done.stdout.split()
        for identity in names:
            excluded[identity].add(examples[identity]["fault"])


def _passing(ids: Collection[str]) -> list[str]:
    """Return the requirements that their recorded example does not violate in this process."""
    examples, faults, once = read(), load_members("fault"), budget(minimize=False)
    return [
        identity
        for identity in ids
        if (stored := examples[identity])
        and not _violation_of(
            REQUIREMENTS[identity], faults[stored["fault"]], once, stored["values"]
        )
    ]


if __name__ == "__main__":
    main()
