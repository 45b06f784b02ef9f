"""Judge every correct implementation with many seeds: there must be no violation at all.

Random profile: every 25 seeds have a fresh palette of shapes, and each seed draws one in twenty of
the properties, and cases of its own for them. For each implementation the largest
error ÷ bound of every quantity is kept; its distance from 1 is the margin of the bounds.

Bytes come from Python's generator and not from Hypothesis: they are uniform in both, and the
engine would cost more than the cases.

Usage: python benchmarks/false_alarms.py [--seeds 200] [--jobs 2] [--only PATTERN] [--out FILE]
       python benchmarks/false_alarms.py --summary --out FILE
The file is JSON lines, a seed and an implementation each; what is in it is not repeated.
"""

from __future__ import annotations

import argparse
import fnmatch
import gc
import json
import random
import re
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pool import answers, prepare

ONE_PASS = ("flax-default", "one-pass-declared")
CASES = 2
SEEDS_PER_PALETTE = 25
SHARE = 20

QUANTITIES = (
    (r"gradient of gamma", "gradient of gamma"),
    (r"gradient of beta", "gradient of beta"),
    (r"gradient of x", "gradient of x"),
    (r"after the step", "gamma and beta after a step"),
    (r"running_mean", "running_mean"),
    (r"running_var", "running_var"),
    (r"^mean of y|^mean square of y", "moments of y"),
    (r"evaluation|alone|fresh", "y in evaluation"),
    (r"^y|^the first y|result of training", "y in training"),
)


def quantity(name: str) -> str:
    """Return the kind of quantity that a check names; unknown ones keep their own name."""
    return next((kind for pattern, kind in QUANTITIES if re.search(pattern, name)), name)


def implementations() -> dict[str, Any]:
    """Return everything that is correct: the reference, flax on rows, and the variants."""
    from impl import flax, flax_default, reference
    from impl.variants import VARIANTS

    entries = {"flax": flax, "flax-default": flax_default}
    layers = {name: replace(made(), wider=None) for name, made in entries.items()}
    return {"impl": reference(), **layers, **VARIANTS}


def cases_of(prop: Any, entries: Any, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield what is drawn for a few cases of a property; for two if it has its own palettes."""
    from conformance.strategies.bytestream import SIZE, draw_from_bytes

    chosen = rng.sample(prop.palettes, 2) if prop.palettes else [entries]
    for grid in chosen:
        strategies = {name: of(grid) for name, of in prop.strategies.items()}
        for _ in range(max(1, round(CASES * prop.share))):
            yield draw_from_bytes(rng.randbytes(SIZE), strategies)


def judge_seed(subject: Any, seed: int) -> dict[str, Any]:
    """Judge one implementation with one seed on a twentieth of what applies to it."""
    from hypothesis.errors import UnsatisfiedAssumption

    from conformance.engine.budget import budget
    from conformance.engine.deviations import is_set_aside
    from conformance.engine.judge import unsupported
    from conformance.engine.runner import PropertyRun
    from conformance.properties import PROPERTIES
    from conformance.properties.support.checks import ViolationFound
    from conformance.properties.support.notes import taking_notes
    from conformance.strategies import shape_grid
    from conformance.strategies.case import literals

    rng = random.Random(f"{seed} {subject.implementation.name}")
    entries = shape_grid.draw_palette(seed // SEEDS_PER_PALETTE)
    largest: dict[str, float] = {}
    alarms, cases, comparisons = [], 0, 0
    fitting = [
        identity
        for identity, prop in PROPERTIES.items()
        if prop.strategies and unsupported(prop.requirement, subject) is None
    ]
    for identity in fitting:
        if rng.randrange(SHARE):
            continue
        prop = PROPERTIES[identity]
        run = PropertyRun(prop, subject, budget(minimize=False))
        if is_set_aside(run):
            continue
        for drawn in cases_of(prop, entries, rng):
            with taking_notes() as notes:
                try:
                    run.claim(drawn)
                except UnsatisfiedAssumption:
                    continue
                except ViolationFound as found:
                    alarms.append([identity, str(found), literals(drawn)])
                except Exception:  # noqa: BLE001  a defect of the suite is an alarm, too
                    alarms.append([identity, traceback.format_exc(limit=-4), literals(drawn)])
            cases += 1
            comparisons += notes.comparisons
            for name, ratio in notes.by_quantity.items():
                kind = quantity(name)
                largest[kind] = max(largest.get(kind, 0.0), ratio)
    return {"alarms": alarms, "cases": cases, "comparisons": comparisons, "largest": largest}


def summary(path: Path) -> None:
    """Print how much was judged, every alarm, and the largest error ÷ bound by quantity."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    seeds = Counter(line["implementation"] for line in lines)
    cases, comparisons = (sum(line[k] for line in lines) for k in ("cases", "comparisons"))
    print(
        f"{len(seeds)} implementations, {min(seeds.values())} to {max(seeds.values())} seeds each,"
    )
    print(f"{cases:,} cases, {comparisons:,} numbers compared")
    alarms = [(line["implementation"], line["seed"], *a) for line in lines for a in line["alarms"]]
    print(f"{len(alarms)} alarms")
    for alarm in alarms:
        print(*alarm[:4])
    largest: dict[str, dict[bool, tuple[float, str]]] = defaultdict(dict)
    for line in lines:
        one_pass = line["implementation"] in ONE_PASS
        for kind, ratio in line["largest"].items():
            seen = largest[kind].get(one_pass, (0.0, ""))
            largest[kind][one_pass] = max(seen, (ratio, line["implementation"]))
    print("\n| quantity | largest error ÷ bound | of | one-pass, with its declaration |")
    print("|---|---|---|---|")
    for kind, seen in sorted(largest.items()):
        stable, declared = seen.get(False, (0.0, "–")), seen.get(True, (0.0, "–"))
        print(f"| {kind} | {stable[0]:.2f} | {stable[1]} | {declared[0]:.2f} |")


def work(names: list[str], seeds: int, done: frozenset[tuple[int, str]], out: Path) -> None:
    """Judge some implementations with all seeds, writing down each result.

    An implementation stays in one process, because each compiles its own programs.
    """
    prepare()
    from conformance.properties.support.subject import Subject

    subjects = {name: Subject(implementations()[name]) for name in names}
    for seed in range(seeds):
        for name, subject in subjects.items():
            if (seed, name) in done:
                continue
            started = time.perf_counter()
            result = {"seed": seed, "implementation": name, **judge_seed(subject, seed)}
            result["seconds"] = round(time.perf_counter() - started, 2)
            with out.open("a") as file:
                file.write(json.dumps(result) + "\n")
        gc.collect()


def main() -> None:
    """Judge what is not in the file yet, a share of the implementations in each process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="*")
    parser.add_argument("--out", type=Path, default=Path("false_alarms.jsonl"))
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args()
    if options.summary:
        summary(options.out)
        return
    done: frozenset[tuple[int, str]] = frozenset()
    if options.out.exists():
        lines = map(json.loads, options.out.read_text().splitlines())
        done = frozenset((line["seed"], line["implementation"]) for line in lines)
    names = [name for name in implementations() if fnmatch.fnmatch(name, options.only)]
    shares = [names[first :: options.jobs] for first in range(options.jobs)]
    tasks = [
        (i, (work, (share, options.seeds, done, options.out))) for i, share in enumerate(shares)
    ]
    for _, answer in answers(tasks, options.jobs):
        answer.unwrap()
    summary(options.out)


if __name__ == "__main__":
    main()
