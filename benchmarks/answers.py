"""How often the answer of a run is right, and what it costs: answers, lines, output and seconds.

    python benchmarks/answers.py PART [--held-out] [--recorded] [--runs N] [names …]

The parts are gallery, pairs, corpus, marked and correct.

Each layer is judged by every requirement as ``conformance run --profile quick`` does and diagnosed;
the answer is verified on what it violates. Graded is what is said then: all mistakes are named
("right"), some of them or one in part ("partly"), something else ("wrong"), or none ("silent").
The right names are in the records of the gallery, and, as they were read, in
``corpus/marked/labels.json``, where the authors also say which lines are wrong. The other authors
of the corpus describe mistakes in words: whether answers agree with them is in
``results/corpus-answers.json`` ("unread" if not).
A line is right if its expression has a line of the code of the mistake (see ``lines.py``).
``--runs N`` also runs the command line on every N-th layer, and reports its seconds.
``--held-out`` takes the quarter of the names whose SHA-256 is divisible by four. ``--recorded``
judges only the requirements that the record of a fault names, and a few of every step: it takes a
third of the time, and what is printed is shorter.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from pool import answers, prepare

PARTS = ("gallery", "pairs", "corpus", "marked", "correct")
MARKED = Path(__file__).parents[1] / "corpus" / "marked"
BESIDES = ("one-pass-variance", "statistics-carry-gradient")
"""What some layers of ``corpus/marked`` do besides, on purpose."""

LABELS = Path(__file__).parent / "results" / "corpus-answers.json"
LIMIT = 240.0
"""Seconds after which a layer has no answer."""

STEPS = (
    *("BN-TRAIN-1", "BN-EMA-1", "BN-EMA-2", "BN-EVAL-1", "BN-AFF-1"),
    *(f"BN-GRAD-{number}" for number in (1, 2, 3, 8)),
)

Row = dict[str, Any]

_COMMAND_LINE = {"gallery": "fault", "pairs": "combined", "corpus": "blind", "correct": "variant"}


def choose(part: str, wanted: str | None = None) -> dict[str, tuple[Any, Any]]:
    """Return implementations by name, each with the right ids of its mistakes if recorded."""
    import diagnosis

    if part == "corpus":
        from corpus import FAULTY

        return {name: (fault.implementation, None) for name, fault in FAULTY.items()}
    if part == "marked":
        from conformance.adapters.resolve import resolve

        return {
            name: (
                resolve(f"{MARKED / name}.py:{marked['class']}"),
                [tuple(each["ids"]) for each in marked["mistakes"]],
            )
            for name, marked in _marks().items()
            if wanted is None or name == wanted
        }
    if part == "pairs":
        chosen = [diagnosis.choose(each, []) for each in ("combined", "combined-held-out")]
        return {**chosen[0], **chosen[1]}
    return dict(diagnosis.choose("all" if part == "gallery" else "variants", []))


def answer(part: str, name: str, recorded: bool = False) -> Row:
    """Judge and diagnose one layer; return a row."""
    prepare()
    from conformance.diagnosis.explanation import examine
    from conformance.engine.budget import budget
    from conformance.engine.jax_runtime import share_lowering_contexts
    from conformance.engine.judge import judge_requirement
    from conformance.properties.support.subject import Subject
    from conformance.requirements import REQUIREMENTS, select

    share_lowering_contexts()
    implementation, mistakes = choose(part, name)[name]
    if part != "marked":
        implementation = replace(implementation, name=f"{_COMMAND_LINE[part]}:{name}")
    subject = Subject(implementation)
    started = time.process_time()
    chosen = budget("quick", minimize=False)
    wanted = _recorded(part, name) if recorded else REQUIREMENTS
    rows = [row for row in select(REQUIREMENTS) if row.id in wanted]
    verdicts = [judge_requirement(row, subject, chosen) for row in rows]
    judged = time.process_time()
    bad = [verdict for verdict in verdicts if verdict.outcome.bad]
    found: Row = {"kind": "none"}
    if bad:
        found = examine(subject).explain(bad, time.time() + LIMIT)
    done = time.process_time()
    named = _named(found)
    return {
        "name": name,
        "ids": [each["id"] for each in named],
        "grade": grade(found, mistakes, _labels().get(name, {})),
        "line": grade_line(implementation, _lines_of(found), _marks().get(name)),
        "violated": len(bad),
        "explained": len({v for each in named for v in each.get("explains", ())}),
        "printed": count_lines(implementation.name, verdicts, found),
        "judging": round(judged - started, 2),
        "diagnosing": round(done - judged, 2),
        "said": [each["sentence"] for each in named],
    }


def _recorded(part: str, name: str) -> set[str]:
    """Return the requirements that a fault is recorded to break, and a few of every step."""
    from corpus import FAULTY
    from impl.combined import COMBINED
    from impl.faulty import FAULTS

    records: dict[str, Any] = {"gallery": FAULTS, "pairs": COMBINED, "corpus": FAULTY}
    return {*STEPS, *records[part][name].breaks} if part in records else {*STEPS}


def _named(found: Row) -> list[Row]:
    return [] if found["kind"] == "none" else [found, *found.get("further", ())]


def _lines_of(found: Row) -> list[Row]:
    named = [each for each in (found, *found.get("further", ())) if each.get("id") not in BESIDES]
    return [each["line"] for each in named if "line" in each]


def _labels() -> dict[str, dict[str, str]]:
    if not LABELS.exists():
        return {}
    labels: dict[str, dict[str, str]] = json.loads(LABELS.read_text(encoding="utf-8"))
    return labels


def grade(found: Row, mistakes: Any, labels: Mapping[str, str]) -> str:
    """Return "right", "partly", "wrong", "silent", or "unread" where nobody has read the answer."""
    named = [each["id"] for each in _named(found)]
    if not any(named) or (mistakes and set(named) <= {*BESIDES}):
        return "silent"
    if mistakes is None:
        return labels.get("+".join(named), "unread")
    right_ids = {*BESIDES}.union(*mistakes)
    if not set(named) <= right_ids:
        return "wrong"
    whole = all(set(named).intersection(right) for right in mistakes) and "partial" not in found
    return "right" if whole else "partly"


def _marks() -> Row:
    marks: Row = json.loads((MARKED / "labels.json").read_text(encoding="utf-8"))
    return marks


def grade_line(implementation: Any, lines: list[Row], marked: Row | None = None) -> str:
    """Return "right", "wrong", "none", or "shown" where there is nothing to compare with."""
    from lines import own_lines

    if marked is None:
        own = own_lines(implementation)
    else:
        file = (MARKED / lines[0]["file"]).resolve() if lines else MARKED
        own = {(file, line) for each in marked["mistakes"] for line in each["lines"]}
    if not lines:
        return "none"
    return "shown" if not own else "right" if all(_meets(line, own) for line in lines) else "wrong"


def _meets(line: Row, own: set[tuple[Path, int]]) -> bool:
    """Return whether an expression, which may take several lines of text, has one of some lines."""
    file, end = Path(line["file"]).resolve(), line.get("end_line", line["line"])
    return any((file, number) in own for number in range(line["line"], end + 1))


def count_lines(name: str, verdicts: list[Any], found: Row) -> int:
    """Return how many lines ``conformance run`` prints about a layer."""
    from rich.console import Console

    from conformance.report.model import Footer, Header, Report
    from conformance.report.screen import render_screen

    header = Header(
        started=0.0, profile="quick", seed=0, max_examples=20, strict=False, workers=1,
        implementations=[name], requirements=[v.requirement for v in verdicts], environment={},
    )  # fmt: skip
    count = len(verdicts)
    footer = Footer(expected=count, verdicts=count, missing=[], seconds=0.0, exit_code=1)
    diagnoses = {name: found} if found.get("sentence") else {}
    printed = io.StringIO()
    report = Report(header=header, footer=footer, verdicts=verdicts, diagnoses=diagnoses)
    render_screen(report, Console(file=printed, width=80))
    return len(printed.getvalue().splitlines())


def run(part: str, name: str) -> float:
    """Return the seconds of ``conformance run`` on a layer."""
    command = [sys.executable, "-m", "conformance", "run", f"{_COMMAND_LINE[part]}:{name}"]
    started = time.perf_counter()
    subprocess.run([*command, "--profile", "quick"], capture_output=True, check=False)
    return round(time.perf_counter() - started, 1)


def summarize(rows: list[Row]) -> None:
    """Print the counts of grades and lines, and medians of what is printed and of the time."""
    for what in ("grade", "line"):
        counts = Counter(row[what] for row in rows)
        shares = (f"{n} {each} ({each_of(n, rows)})" for each, n in counts.most_common())
        print(f"{what}: {', '.join(shares)}; of {len(rows)}")
    for what in ("printed", "judging", "diagnosing", "run"):
        numbers = sorted(row[what] for row in rows if what in row)
        if numbers:
            print(f"{what}: median {median(numbers)}, most {numbers[-1]}, of {len(numbers)}")


def each_of(count: int, rows: list[Row]) -> str:
    """Return a share in per cent."""
    return f"{count / len(rows):.1%}"


def _chosen(part: str, names: Iterable[str], *, held_out: bool) -> list[str]:
    import diagnosis

    return [
        name
        for name in choose(part)
        if (name in names if names else not held_out or diagnosis.held_out(name))
    ]


def main() -> None:
    """Measure the answers about a part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--recorded", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=0, metavar="N")
    parser.add_argument("--json", type=Path)
    options = parser.parse_intermixed_args()
    prepare()
    names = _chosen(options.part, options.names, held_out=options.held_out)
    rows: list[Row] = []
    tasks = ((name, (answer, (options.part, name, options.recorded))) for name in names)
    for name, given in answers(tasks, options.jobs, LIMIT):
        if given.lost:
            print(f"no answer  {name}: {given.lost}", flush=True)
            continue
        row = given.value
        rows.append(row)
        said = "; ".join(row["said"])
        print(
            f"{row['grade']:8} {row['line']:6} {name:42} {'+'.join(row['ids'])}: {said}", flush=True
        )
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    for row in rows[:: options.runs] if options.runs else ():
        row["run"] = run(options.part, row["name"])
    summarize(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
