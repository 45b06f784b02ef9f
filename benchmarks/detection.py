"""Measure how many cases it takes to detect each fault, over many seeds.

For every listed pair of fault and requirement the property runs with another seed each time,
until its first counterexample; the number of cases up to it is what is kept. A fault that
stays undetected in 300 × share cases counts as such ("censored"). What a layer declares is judged
with the cases of a default run, because a superfluous declaration is found by all of them together;
that counts as one case.

Usage: python benchmarks/detection.py [--seeds 50] [--only PATTERN] [--listed N] [--jobs 2]
       [--out FILE]
The file is JSON lines, a pair each; pairs that are in it are not measured again.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pool import answers, prepare

MAX_EXAMPLES = 300


def pairs(only: str, listed: int | None) -> list[tuple[str, str]]:
    """Return the listed pairs of fault and requirement; ``listed`` keeps the first of each."""
    from impl.faulty import FAULTS

    return [
        (name, identity)
        for name, fault in FAULTS.items()
        for identity in fault.breaks[:listed]
        if fnmatch.fnmatch(name, only) or fnmatch.fnmatch(identity, only)
    ]


def cases_to_detection(name: str, identity: str, seeds: range) -> Iterator[tuple[int, bool]]:
    """Yield, for each seed, the cases that were executed and whether the fault was detected."""
    from conformance.engine.budget import budget
    from conformance.engine.judge import PropertyRun, judge
    from conformance.properties import PROPERTIES
    from conformance.properties.support.subject import Subject
    from conformance.requirements.verdict import Outcome
    from impl.faulty import FAULTS

    subject = Subject(FAULTS[name].implementation)
    for seed in seeds:
        examples = budget().max_examples if subject.implementation.deviations else MAX_EXAMPLES
        given = budget(seed=seed, max_examples=examples, minimize=False)
        trial = PropertyRun(PROPERTIES[identity], subject, given)
        verdict = judge(trial)
        if verdict.outcome is Outcome.ERRORED:
            raise RuntimeError(f"{name} on {identity}, seed {seed}: {verdict.detail}")
        found = verdict.outcome is Outcome.VIOLATES
        yield 1 if found and _by_all_cases(verdict) else trial.cases, found


def _by_all_cases(verdict: Any) -> bool:
    """Return whether no single case shows the violation: a declaration was superfluous."""
    return not verdict.violation.values


def measure(name: str, identity: str, seeds: range) -> dict[str, object]:
    """Return the measurement of one pair as JSON values."""
    prepare()
    cases, undetected = [], 0
    for count, detected in cases_to_detection(name, identity, seeds):
        cases.append(count)
        undetected += not detected
    return {"fault": name, "requirement": identity, "cases": cases, "undetected": undetected}


def main() -> None:
    """Measure what is not in the file yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--only", default="*")
    parser.add_argument("--listed", type=int, help="only the first N requirements of each fault")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("detection.jsonl"))
    options = parser.parse_args()

    done = set()
    if options.out.exists():
        lines = map(json.loads, options.out.read_text().splitlines())
        done = {(line["fault"], line["requirement"]) for line in lines}
    seeds = range(options.first, options.first + options.seeds)
    tasks = [
        (pair, (measure, (*pair, seeds)))
        for pair in pairs(options.only, options.listed)
        if pair not in done
    ]
    with options.out.open("a") as out:
        for count, (_, answer) in enumerate(answers(tasks, options.jobs), 1):
            out.write(json.dumps(answer.unwrap()) + "\n")
            out.flush()
            print(f"\r{count} of {len(tasks)}", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
