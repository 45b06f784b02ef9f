"""Mutation score: which one-edit mutants of the reference and of flax's BatchNorm are killed.

Mutants of the reference are judged as the implementation ``impl``, mutants of flax as ``flax`` and
``flax-default``, and by flax's own BatchNorm tests. Every result is stored as soon as it is known;
``--render`` prints the figures, and every survivor with its verdict from mutation/verdicts.toml.

Usage: python benchmarks/mutants.py [--target flax] [--only PATTERN] [--resume FILE] [--render]
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import time
from importlib.metadata import version
from pathlib import Path

from mutation import report, suite, upstream
from mutation.record import Key, Record, Result, opinions
from mutation.targets import TARGETS
from pool import CRASH, TIME_LIMIT, Answer, Task, answers

from conformance.mutation.mutants import Mutant

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "mutants.jsonl"

Lines = dict[str, set[tuple[str, int]]]
"""Module and line of every statement that the suite executes, by entry."""


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=list(TARGETS), help="only this one")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="ids, such as 'flax-01*'")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on with these results")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds per mutant (600)")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("--render", action="store_true", help="only print the stored results")
    return parser.parse_args()


def baselines(names: list[str], record: Record, options: argparse.Namespace) -> Lines:
    """Return the lines that each entry executes; end if the harness is not sound.

    What is not mutated has to survive, and a layer that does nothing must not. A run that goes
    on has shown that already.
    """
    known = record.notes.get("lines", {})
    if all(entry in known for name in names for entry in TARGETS[name].entries):
        return {entry: {(file, line) for file, line in known[entry]} for entry in known}
    entries = [(TARGETS[name], entry) for name in names for entry in TARGETS[name].entries]
    tasks: list[tuple[str, Task]] = [
        (entry, (suite.baseline, (target.name, entry))) for target, entry in entries
    ]
    if "flax" in names:
        tasks.append(("upstream", (upstream.control, (upstream.fetched(),))))
    lines: Lines = {}
    for name, given in answers(tasks, options.jobs, 10 * options.limit):
        answer = result_of(given)
        if name == "upstream":
            sound = upstream.sound(answer)
        else:
            sound = answer["outcome"] == "survived"
            lines[name] = {(file, line) for file, line in answer.get("lines", [])}
        print(f"unmutated, {name}: {'sound' if sound else answer}", flush=True)
        if not sound:
            sys.exit(1)
    record.note("lines", {entry: sorted(executed) for entry, executed in lines.items()})
    return lines


def tasks_for(mutants: list[Mutant], record: Record, lines: Lines) -> list[tuple[Key, Task]]:
    """Return what is to be done; a mutant in code that never runs is written down at once."""
    judged: list[tuple[Key, Task]] = []
    tested: list[tuple[Key, Task]] = []
    for mutant in mutants:
        target = mutant.identity.rpartition("-")[0]
        key = (mutant.identity, mutant.edit, "suite")
        if key not in record.results:
            entries = [entry for entry in TARGETS[target].entries if runs(mutant, lines[entry])]
            if entries:
                judged.append((key, (suite.judge_mutant, (mutant, target, entries))))
            else:
                record.add(key, {"outcome": "not reached"})
        key = (mutant.identity, mutant.edit, "upstream")
        if target == "flax" and key not in record.results:
            tested.append((key, (upstream.judge_mutant, (mutant, upstream.fetched()))))
    return judged + tested


def runs(mutant: Mutant, lines: set[tuple[str, int]]) -> bool:
    """Tell whether the statement that the mutant edits is executed at all."""
    return (mutant.file, mutant.statement) in lines


def run(mutants: list[Mutant], record: Record, options: argparse.Namespace) -> None:
    """Judge what the record does not have yet."""
    names = sorted({mutant.identity.rpartition("-")[0] for mutant in mutants})
    tasks = tasks_for(mutants, record, baselines(names, record, options))
    for count, (key, answer) in enumerate(answers(tasks, options.jobs, options.limit), 1):
        result = result_of(answer)
        record.add(key, result)
        print(f"{count}/{len(tasks)} {_line(key, result)}", flush=True)


def result_of(answer: Answer) -> Result:
    """Return an answer as a result; a mutant that loops or ends its process is killed."""
    if answer.lost in {TIME_LIMIT, CRASH}:
        result = {"outcome": "killed", "by": answer.lost}
    elif answer.lost:
        result = {"outcome": "harness error", "detail": answer.lost}
    else:
        result = answer.value
    return {**result, "seconds": answer.seconds}


def _line(key: Key, result: Result) -> str:
    identity, edit, judge = key
    outcome = f"{result['outcome']} {result.get('by', '')}".strip()
    return f"{identity} {judge}: {outcome}, {result['seconds']:.1f} s  {edit[:100]}"


def main() -> None:
    """Make the mutants, judge them, print the figures, and write the page."""
    options = arguments()
    chosen = [target for name, target in TARGETS.items() if options.target in {None, name}]
    mutants = [mutant for target in chosen for mutant in target.mutants()]
    mutants = [mutant for mutant in mutants if fnmatch.fnmatch(mutant.identity, options.only)]
    if options.list:
        for mutant in mutants:
            print(
                mutant.identity, f"{mutant.file}:{mutant.line}", mutant.kind, mutant.edit, sep="\t"
            )
        return
    file = options.resume or RESULTS
    if not (options.resume or options.render):
        file.unlink(missing_ok=True)
    record = Record.read(file) if file.exists() else Record(file)
    if not options.render:
        started = time.perf_counter()
        run(mutants, record, options)
        seconds = record.notes.get("seconds", 0) + time.perf_counter() - started
        record.note("seconds", round(seconds))
        record.note("jobs", options.jobs)
        record.note("versions", {name: version(name) for name in ("flax", "jax")})
    show = report.rendered if options.render else report.figures
    print(show(mutants, record, opinions()))


if __name__ == "__main__":
    main()
