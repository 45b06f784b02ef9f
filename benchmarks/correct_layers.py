"""Judge correct layers by the thousand, written from a seed: there must be no accusation.

Each layer is a separate module, written from choices that are right in any combination:
algebraic rewrites, the order and tree of the sums, fused forms, how the mode is chosen, styles of
NNX, and what is compiled (benchmarks/generated). It is judged by every requirement that applies,
with a few cases each, and at a few of the sizes of BN-SHAPE-1, drawn for the layer. An accusation
is a MUST that is violated, vacuous or in error; SHOULDs are counted apart.

Usage: python benchmarks/correct_layers.py [--count 1000] [--seed 0] [--sample N] [--cases 4]
           [--part 1] [--jobs 2] [--minutes M] [--out FILE]
       python benchmarks/correct_layers.py --summary --out FILE
       python benchmarks/correct_layers.py --show layer-0-0001
The file is JSON lines, a layer each; what is in it is not repeated. ``--sample`` judges layers that
are spread evenly over all of them. The exit code is 1 if there is an accusation.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from false_alarms import quantity
from generated.writing import Written, write_layers
from pool import answers, prepare

SIZES = 3
"""How many sizes of BN-SHAPE-1 each layer is judged at."""

LIMIT = 900.0
"""Seconds after which a layer is given up."""


ALWAYS = frozenset({"BN-TRAIN-1", "BN-EMA-1", "BN-EMA-2", "BN-EVAL-1", "BN-GRAD-3", "BN-NUM-1"})
"""What every layer is judged by, also if it is judged by a part of the requirements."""


def judge_layer(layer: Written, cases: int, only: tuple[str, ...], part: int) -> dict[str, Any]:
    """Judge a layer; return its accusations and the largest error ÷ bound by quantity."""
    prepare()
    from conformance.adapters.resolve import resolve
    from conformance.properties.support.notes import taking_notes
    from conformance.properties.support.subject import Subject
    from conformance.requirements import REQUIREMENTS, select

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{layer.name.replace('-', '_')}.py"
        path.write_text(layer.text, encoding="utf-8")
        subject = Subject(resolve(f"{path}:Norm"))
        offered = subject.implementation.capabilities
        rows = select(REQUIREMENTS, only or ())
        rng = random.Random(layer.name)
        rows = [row for row in rows if rng.randrange(part) == 0 or row.id in ALWAYS]
        bad: list[list[str]] = []
        largest: dict[str, float] = {}
        seconds: dict[str, float] = {}
        counts = Counter(requirements=0, cases=0, comparisons=0)
        for row in (row for row in rows if row.needs in offered):
            begun = time.perf_counter()
            with taking_notes() as notes:
                outcome, detail = _judge(row, subject, cases, layer.name)
            counts.update(requirements=1, comparisons=notes.comparisons)
            counts.update(cases=outcome if isinstance(outcome, int) else 0)
            if isinstance(outcome, str):
                bad.append([row.id, row.level.value, outcome, detail])
            for name, ratio in notes.by_quantity.items():
                kind = quantity(name)
                largest[kind] = max(largest.get(kind, 0.0), ratio)
            seconds[row.id] = round(time.perf_counter() - begun, 2)
    slowest = sorted(seconds.items(), key=lambda item: -item[1])[:3]
    return {
        "layer": layer.name,
        "part": part,
        "choices": layer.choices,
        **counts,
        "bad": bad,
        "largest": largest,
        "slowest": slowest,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _judge(row: Any, subject: Any, cases: int, name: str) -> tuple[int | str, str]:
    """Return the number of cases, or what is wrong, and its details."""
    from hypothesis.errors import Unsatisfiable

    from conformance.engine.budget import budget
    from conformance.engine.runner import PropertyRun
    from conformance.properties import PROPERTIES
    from conformance.properties.support.checks import ViolationFound
    from conformance.properties.support.second_order import NotOffered

    prop = PROPERTIES[row.id]
    rng = random.Random(f"{name} {row.id}")
    own = rng.sample(prop.palettes, min(SIZES, len(prop.palettes)))
    palettes = tuple(own) or (_few_shapes(name),)
    seed = rng.randrange(2**31)
    chosen = budget(seed=seed, max_examples=cases, minimize=False)
    run = PropertyRun(prop, subject, chosen, palettes=palettes)
    try:
        run()
    except ViolationFound as found:
        return "violates", f"{found} (seed {seed}) {run.violation}"[:2000]
    except NotOffered:
        return run.cases, ""
    except Unsatisfiable:
        return run.cases, "rejected"
    except Exception:  # noqa: BLE001  a defect of the suite is an accusation, too
        return "errored", traceback.format_exc(limit=-4)
    return run.cases, ""


def _few_shapes(name: str) -> Any:
    """Return the corners of the default shapes, and two others, which a layer compiles for."""
    from conformance.strategies.shape_grid import DEFAULT

    corners = {(2, 1), (1, 1), (1, 2), (8, 2), (16, 2)}
    kept = [entry for entry in DEFAULT if (entry.rows, entry.features) in corners]
    others = [entry for entry in DEFAULT if entry not in kept]
    return (*kept, *random.Random(f"shapes {name}").sample(others, 2))


def read(path: Path) -> list[dict[str, Any]]:
    """Return what was judged before."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def summarize(lines: list[dict[str, Any]]) -> int:
    """Print what was judged, every accusation and the largest ratios; return the accusations."""
    totals = {k: sum(line.get(k, 0) for line in lines) for k in ("cases", "comparisons", "seconds")}
    lost = [line for line in lines if line.get("lost")]
    print(f"{len(lines)} layers, {totals['cases']:,} cases, {totals['comparisons']:,} comparisons")
    print(f"{totals['seconds'] / 3600:.1f} hours of one process; {len(lost)} layers given up")
    must = [(line["layer"], *b) for line in lines for b in line.get("bad", ()) if b[1] == "must"]
    should = Counter(b[0] for line in lines for b in line.get("bad", ()) if b[1] != "must")
    print(f"{len(must)} accusations; SHOULD: {dict(should) or 'none'}")
    for accusation in must:
        print(*accusation)
    largest: dict[str, tuple[float, str]] = defaultdict(lambda: (0.0, ""))
    for line in lines:
        for kind, ratio in line.get("largest", {}).items():
            largest[kind] = max(largest[kind], (ratio, line["layer"]))
    print("\n| quantity | largest error ÷ bound | of |\n|---|---|---|")
    for kind, (ratio, name) in sorted(largest.items()):
        print(f"| {kind} | {ratio:.2f} | {name} |")
    return len(must) + len(lost)


def spread(layers: list[Written], sample: int) -> list[Written]:
    """Return layers that are spread evenly over all of them."""
    return layers[:: max(1, len(layers) // sample)][:sample] if sample else layers


def _tasks(layers: list[Written], options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    only = tuple(options.only)
    for layer in layers:
        yield layer.name, (judge_layer, (layer, options.cases, only, options.part))


def main() -> int:
    """Judge what is not in the file yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--part", type=int, default=1, help="judge by one in N requirements")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--only", nargs="*", default=[], help="ids or families")
    parser.add_argument("--out", type=Path, default=Path("correct_layers.jsonl"))
    parser.add_argument("--summary", action="store_true")
    parser.add_argument("--show", default="")
    options = parser.parse_args()
    layers = list(write_layers(options.count, options.seed))
    if options.show:
        print(next(layer.text for layer in layers if layer.name == options.show))
        return 0
    done = read(options.out)
    if not options.summary:
        known = {line["layer"] for line in done if line.get("part", 1) <= options.part}
        begun = time.time()
        left = [layer for layer in spread(layers, options.sample) if layer.name not in known]
        for name, answer in answers(_tasks(left, options), options.jobs, LIMIT):
            line = answer.value or {
                "layer": name,
                "part": options.part,
                "lost": answer.lost,
                "seconds": answer.seconds,
            }
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            done.append(line)
            if options.minutes and time.time() - begun > 60 * options.minutes:
                break
    return 1 if summarize(done) else 0


if __name__ == "__main__":
    sys.exit(main())
