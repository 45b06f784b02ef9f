"""What the evidence consists of: a step per measurement, with its commands and its figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import dropwhile, takewhile
from typing import Any

_SUITE = tuple(
    f"conformance/{package}/**/*.py"
    for package in ("requirements", "adapters", "numerics", "strategies", "properties", "engine")
)
_ALL = ("conformance/**/*.py", "impl/*.py")
_FAULTS = (*_SUITE, "impl/**/*.py")
_DIAGNOSIS = ("conformance/**/*.py", "impl/**/*.py", "benchmarks/diagnosis.py")
_PEERS = (*_SUITE, "tools/docs/causes.py", "tools/docs/keras_workaround.py")
_SHOWN = ("script.py", "change.diff", "test.py")
_FRAMEWORKS = ("equinox", "dm-haiku", "keras", "mlx", "onnx", "torch")

Figure = str | Callable[[str], Any]
"""A pattern whose group is the figure, or a function of the printed text."""


@dataclass(frozen=True, slots=True)
class Step:
    """A measurement.

    Attributes:
        does: What it shows.
        commands: Run in the root of the repository; ``{work}`` is a folder for what they resume
            from, ``{python}`` and ``{conformance}`` are those of this environment.
        sources: Patterns of the files that the result depends on.
        figures: By name, how each figure is found in what the commands print.
        output: The file that the commands write; without one, what they print is kept.
        minutes: About how long it takes on two idle cores.
        needs: Distributions without which it is left out.
    """

    does: str
    commands: tuple[str, ...]
    sources: tuple[str, ...]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    output: str = ""
    minutes: int = 1
    needs: tuple[str, ...] = ()


def table(text: str) -> list[list[str]]:
    """Return the first Markdown table in a text, without the line below its head."""
    lines = dropwhile(lambda line: not line.startswith("|"), text.splitlines())
    rows = [
        [cell.strip() for cell in line.strip()[1:-1].split("|")]
        for line in takewhile(lambda line: line.startswith("|"), lines)
    ]
    return rows[:1] + rows[2:]


def _top(count: int) -> Callable[[str], list[list[str]]]:
    return lambda text: table(text)[: count + 1]


def _largest(text: str) -> float:
    return max(float(row[1]) for row in table(text)[1:])


def _row(start: str) -> Callable[[str], float]:
    """Return a function that finds the largest second cell of rows that start with a word."""
    return lambda text: max(float(row[1]) for row in table(text) if re.match(start, row[0]))


_FINE = 1e-3
"""A relative error that nearly all comparisons would see."""


def _coarse(text: str) -> list[list[str]]:
    """Return the rows of a table of resolutions that exceed ``_FINE`` anywhere."""
    head, *rows = table(text)
    return [head, *(row for row in rows if any(float(cell) > _FINE for cell in row[1:] if cell))]


def _missed(text: str) -> int:
    return len(re.findall(r"^missed:", text.split("--max-examples 20")[1], re.MULTILINE))


def _ratio(text: str) -> int:
    """Return cases per second on the grid ÷ on unrestricted shapes, for the same requirements."""
    rate = {row[0]: float(row[4]) for row in table(text)[1:] if row[4] not in {"", "–", "None"}}
    (grid,), (naive,) = (
        [value for name, value in rate.items() if word in name] for word in ("what naive", "unr")
    )
    return round(grid / naive)


_PAIRS = {"pairs": r"([\d,]+) pairs judged", "seconds": r"judged in (\d+) s"}
_REQUEST = r"{}: (\d+) µs in two"

STEPS = {
    "matrix": Step(
        "every fault on every requirement",
        ("{python} tools/docs/matrix.py --work {work}",),
        _FAULTS,
        output="benchmarks/results/kill-matrix.json",
        minutes=90,
    ),
    "examples": Step(
        "an example that fails for each requirement",
        ("{python} tools/docs/examples.py",),
        (*_FAULTS, "tools/docs/examples.py"),
        output="docs/data/examples.json",
        minutes=8,
    ),
    "faults": Step("every listed pair", ("{conformance} faults",), _FAULTS, _PAIRS),
    "modelled_faults": Step(
        "the predicted mistakes",
        (
            *(f"{{conformance}} faults --gallery modelled --seed {seed}" for seed in range(3)),
            "{conformance} faults --gallery modelled --max-examples 20 || true",
        ),
        _DIAGNOSIS,
        _PAIRS | {"missed_quick": _missed, "seeds": lambda _: "0, 1 and 2"},
    ),
    "detection": Step(
        "cases to detection of each listed pair, with 50 seeds",
        (
            "{python} benchmarks/detection.py --out {work}/detection.jsonl",
            "{python} benchmarks/detection_summary.py {work}/detection.jsonl"
            " --csv benchmarks/results/detection.csv",
        ),
        (*_FAULTS, "benchmarks/detection*.py"),
        output="benchmarks/results/detection.csv",
        minutes=120,
    ),
    "mutants": Step(
        "one-edit mutants of the reference and of flax",
        ("{python} benchmarks/mutants.py --resume {work}/mutants.jsonl",),
        (*_SUITE, "impl/*.py", "benchmarks/mutants.py", "benchmarks/mutation/*.py"),
        output="benchmarks/results/mutants.jsonl",
        minutes=60,
    ),
    "false_positives": Step(
        "random cases on correct variants",
        ("{python} benchmarks/false_alarms.py --seeds 10 --out {work}/false_alarms.jsonl",),
        (*_FAULTS, "benchmarks/false_alarms.py"),
        {
            "variants": r"(\d+) implementations",
            "seeds": r"to (\d+) seeds",
            "cases": r"([\d,]+) cases",
            "comparisons": r"([\d,]+) numbers compared",
            "alarms": r"(\d+) alarms",
            "worst": _largest,
            "table": table,
        },
        minutes=35,
    ),
    "correct_layers": Step(
        "correct layers written from a seed",
        (
            "{python} benchmarks/correct_layers.py --sample 150 --part 12 --cases 3"
            " --out {work}/correct_layers.jsonl",
        ),
        (*_SUITE, "benchmarks/correct_layers.py", "benchmarks/generated/*.py"),
        {
            "layers": r"(\d+) layers",
            "cases": r"([\d,]+) cases",
            "output": _row("y"),
            "statistics": _row("running"),
            "gradients": _row("gradient"),
        },
        minutes=35,
    ),
    "diagnosis": Step(
        "the first diagnosis of each fault and variant",
        ("{python} benchmarks/diagnosis.py all", "{python} benchmarks/diagnosis.py variants"),
        _DIAGNOSIS,
        {"seconds": r"median ([\d.]+) s"},
        minutes=8,
    ),
    "resolution": Step(
        "which relative errors each requirement still sees",
        ("{python} benchmarks/resolution.py",),
        (*_ALL, "benchmarks/resolution.py"),
        {
            "table": _coarse,
            "requirements": lambda text: len(table(text)) - 1,
            "fine": lambda _: _FINE,
        },
    ),
    "peers": Step(
        "the layers of other frameworks",
        ("{python} tools/docs/findings.py --judge {work}/peers",),
        _PEERS,
        output="docs/data/findings.json",
        minutes=12,
        needs=_FRAMEWORKS,
    ),
    "causes": Step(
        "each cause of a violation there, and that the suggested change removes it",
        ("{python} tools/docs/demonstrate.py",),
        ("tools/docs/demonstrate.py", *(f"docs/findings/*/{part}" for part in _SHOWN)),
        output="docs/data/demonstrations.json",
        minutes=6,
        needs=("equinox", "dm-haiku", "keras"),
    ),
    "history": Step(
        "several versions of other frameworks",
        ("{python} tools/docs/history.py --judge {work}/history",),
        (*_PEERS, "tools/docs/history.py", "docs/findings/*/script.py"),
        output="docs/data/history.json",
        minutes=45,
        needs=("uv",),
    ),
    "behaviours": Step(
        "what implementations do where a MAY row leaves them free",
        ("{python} tools/docs/behaviours.py",),
        ("conformance/adapters/**/*.py", "conformance/properties/observations/*.py"),
        output="docs/data/behaviours.json",
        minutes=3,
        needs=_FRAMEWORKS,
    ),
    "startup": Step(
        "seconds of whole commands",
        ("{python} benchmarks/measure.py --runs 3",),
        (*_ALL, "benchmarks/measure.py"),
        {"table": table},
        minutes=6,
    ),
    "fail_fast": Step(
        "time to the first violation, and to the name of the mistake",
        (
            "{python} benchmarks/fail_fast.py --every 16",
            "{python} benchmarks/fail_fast.py --every 16 --answers",
        ),
        (*_ALL, "benchmarks/fail_fast.py"),
        {
            "faults": r"(\d+) faults on",
            "first_median_s": r"printed: median ([\d.]+)",
            "first_p90_s": r"printed: .* ≤ ([\d.]+)",
            "end_median_s": r"ended: median ([\d.]+)",
            "named": r"mistake named at (\d+)",
            "named_median_s": r"named: median ([\d.]+)",
            "named_p90_s": r"named: .* ≤ ([\d.]+)",
            "whole_median_s": r"(?s)named: median.*?ended: median ([\d.]+)",
            "right_s": r"layer that is right: ([\d.]+)",
        },
        minutes=10,
    ),
    "overhead": Step(
        "judging beside the bare calls",
        ("{python} benchmarks/overhead.py",),
        (*_ALL, "benchmarks/overhead.py"),
        {
            "judging_cpu_s": r"judged ([\d.]+)",
            "calls_cpu_s": r"alone ([\d.]+)",
            "ratio": r"bare calls: ([\d.]+)",
        },
        minutes=2,
    ),
    "round_trips": Step(
        "what it costs that verdicts are reached in another process",
        ("{python} benchmarks/round_trips.py",),
        (*_ALL, "benchmarks/round_trips.py"),
        {
            "requests": r"([\d,]+) requests",
            "operations": r"([\d,]+) operations",
            "judging_cpu_s": r"judging: ([\d.]+)",
            "judging_mib": r"judging: .* most (\d+) MiB",
            "empty_us": _REQUEST.format("an empty reread"),
            "call_us": _REQUEST.format("\ncall"),
            "call_alone_us": r"\ncall: .*, (\d+) µs in one",
        },
    ),
    "shapes": Step(
        "the shape grid beside unrestricted shapes",
        ("{python} benchmarks/free_shapes.py",),
        (*_ALL, "benchmarks/free_shapes.py"),
        {
            "table": table,
            "cold_factor": r"cold (\d+)",
            "warm_factor": r"shapes known (\d+)",
        },
        minutes=2,
    ),
    "side_by_side": Step(
        "this suite, naive shapes, and flax's own tests",
        ("{python} benchmarks/side_by_side.py --mutants 12",),
        (*_ALL, "benchmarks/side_by_side.py"),
        {"table": table, "factor": _ratio},
        minutes=8,
    ),
    "in_one_run": Step(
        "what judging costs beside what else one could run, and how it grows",
        ("{python} benchmarks/in_one_run.py --picture docs/in-one-run.svg",),
        (*_ALL, "benchmarks/in_one_run.py", "benchmarks/naive_tests.py"),
        {"table": table},
        minutes=15,
    ),
    "grader": Step(
        "verdicts an hour of a grader on one core",
        ("{python} benchmarks/grader.py",),
        (*_ALL, "benchmarks/grader.py"),
        {
            "table": table,
            "verdicts": r"([\d,]+) verdicts",
            "pace_s": r"-j1: ([\d.]+) CPU s",
        },
        minutes=4,
    ),
    "per_requirement": Step(
        "seconds of each requirement",
        ("{python} benchmarks/per_requirement.py",),
        (*_ALL, "benchmarks/per_requirement.py"),
        {"table": _top(11)},
        minutes=1,
    ),
}
"""In the order in which they run: what is judged first, and the timings last."""
