"""What judging costs beside what else one could run, and how it grows: a table, a picture.

Every row is a separate process with its children, on flax's own layer unless it says otherwise,
with compiled programs of a run before unless the cache is empty. Today's suite judges all that this
layer offers; that before, free shapes and the shape grid judge batches of rows. The suite *before*
is that of an earlier commit, run from a temporary work tree with today's packages. *4 workers* are
as many processes, on however many cores there are. Batches are those of BN-LARGE-1, one case of
each size.

Usage: python benchmarks/in_one_run.py [--before dbfaed4] [--picture FILE] [--only GROUP] [--brief]
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from side_by_side import RUN, cases_in
from side_by_side import THIS as NAIVE
from whole_process import machine, measure_command

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
THIS = [sys.executable, __file__]
TESTS = [sys.executable, str(HERE / "naive_tests.py")]
FOUR = ("flax", "impl", "variant:welford", "variant:three-term-backward")
MANY = [*RUN[:-2], *FOUR, "--no-diagnosis"]

GROUPS: dict[str, dict[str, list[str]]] = {
    "side by side": {
        "before": RUN,
        "this suite, empty cache": RUN,
        "this suite": RUN,
        "this suite, quick": [*RUN, "--profile", "quick"],
        "its requirements, unrestricted shapes": [*NAIVE, "--judge", "naive"],
        "the same, on the grid": [*NAIVE, "--judge", "palette"],
        "flax's own tests": [*NAIVE, "--judge", "upstream"],
        "drawn arrays, one tolerance": [*TESTS, "drawn"],
        "three examples, one tolerance": [*TESTS, "examples"],
    },
    "cases": {
        f"cases × {times}": [*RUN, "--max-examples", str(count)]
        for times, count in (("¼", 25), ("1", 100), ("4", 400), ("16", 1600))
    },
    "implementations": {
        f"implementations × {count}": [*RUN[:-2], *FOUR[:count], "--no-diagnosis"]
        for count in (1, 2, 4)
    },
    "shapes": {f"shape grid × {times}": [*THIS, "--grid", str(times)] for times in (1, 4)},
    "workers": {f"workers × {count}": [*RUN, "-j", str(count)] for count in (1, 2, 4)},
    "batch size": {
        f"batch of {rows:,} × 4": [*THIS, "--batch", str(rows)]
        for rows in (1025, 16_385, 131_073, 1_048_577)
    },
}
_SLOW = ("its requirements, unrestricted shapes", "cases × 4", "cases × 16", "implementations × 4")


@dataclass(frozen=True)
class Row:
    """What one row took."""

    group: str
    name: str
    cpu: float
    wall: float
    memory: float
    cases: int | None


def judge_batch(rows: int) -> None:
    """Judge flax's layer by BN-LARGE-1 on one batch of so many rows."""
    from conformance.engine.jax_runtime import remember_compilations

    remember_compilations()
    import impl
    from conformance.engine.budget import budget
    from conformance.engine.judge import PropertyRun, judge
    from conformance.properties import PROPERTIES
    from conformance.properties.support.subject import Subject
    from conformance.strategies.shape_grid import Entry

    palettes = ((Entry(rows, 4, 0.25, 1e-3),),)
    prop = PROPERTIES["BN-LARGE-1"]
    verdict = judge(PropertyRun(prop, Subject(impl.flax()), budget(), palettes=palettes))
    assert not verdict.outcome.bad, verdict
    print(f"{verdict.cases} cases")


def judge_on_grid(times: int) -> None:
    """Judge flax's layer on a grid of shapes that is so many times as large."""
    import side_by_side

    from conformance.strategies import shape_grid

    more = [entry for seed in range(times - 1) for entry in shape_grid.draw_palette(seed)]
    grid = (*shape_grid.DEFAULT, *more)
    shape_grid.palette_of = lambda _: grid
    side_by_side.judge("palette")


@contextlib.contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Check a commit out for a while."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "before"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def measure(group: str, name: str, command: list[str], before: str, cache: Path) -> Row:
    """Measure a row, after its programs were compiled unless its cache is to be empty."""
    if name == "before":
        name = f"this suite at {before}"
        with checkout(before) as place, contextlib.chdir(place):
            os.environ["PYTHONPATH"] = str(place)
            try:
                measure_command(command, cache / "before")
                found = measure_command(command, cache / "before")
            finally:
                del os.environ["PYTHONPATH"]
    elif "empty cache" in name:
        with tempfile.TemporaryDirectory() as empty:
            found = measure_command(command, Path(empty))
    else:
        if command[2:4] != ["conformance", "run"] and "unrestricted" not in name:
            measure_command(command, cache)
        found = measure_command(command, cache)
    accusing = re.search(r"(\d+) accusations", found.text)
    name += f" (accusations: {accusing[1]})" if accusing else ""
    return Row(group, name, found.cpu, found.wall, found.memory, cases_in(found.text))


def cells(row: Row) -> str:
    """Return a row of the table."""
    rate = f"{row.cases / row.cpu:.2g}" if row.cases else "–"
    numbers = f"{row.cpu:.1f} | {row.wall:.1f} | {row.memory:.0f} | {row.cases or '–'} | {rate}"
    return f"| {row.name} | {numbers} |"


_LEFT, _WIDTH, _STEP = 290, 760, 19


def picture(rows: list[Row]) -> str:
    """Return bars of CPU seconds, on a logarithmic axis, with wall seconds as a mark."""
    most = max(max(row.cpu, row.wall) for row in rows)
    least = 0.5
    scale = (_WIDTH - _LEFT - 120) / math.log(most / least)

    def x(value: float) -> float:
        return _LEFT + scale * max(0.0, math.log(max(value, least) / least))

    parts, y, group = [], 46, ""
    for row in rows:
        if row.group != group:
            group = row.group
            y += 8
            parts.append(f'<text x="8" y="{y + 13}" class="group">{escape(group)}</text>')
            y += _STEP
        text = f"{row.cpu:.1f} s CPU, {row.wall:.1f} s, {row.memory:.0f} MB"
        parts += [
            f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect x="{_LEFT}" y="{y + 2}" width="{x(row.cpu) - _LEFT:.1f}" height="12"/>',
            f'<path d="M{x(row.wall):.1f} {y}v16"/>',
            f'<text x="{max(x(row.cpu), x(row.wall)) + 6:.1f}" y="{y + 12}">{text}</text>',
        ]
        y += _STEP
    grid = [
        f'<path class="grid" d="M{x(v):.1f} 40V{y}"/><text x="{x(v):.1f}" y="36" '
        f'text-anchor="middle">{v:g} s</text>'
        for v in (1, 3, 10, 30, 100, 300)
        if v <= most
    ]
    style = (
        "text{font:12px sans-serif;fill:#222}.group{font-weight:bold}rect{fill:#4477aa}"
        "path{stroke:#cc3311;stroke-width:2}.grid{stroke:#ddd;stroke-width:1}"
    )
    title = "Bars: CPU seconds of the process and its children. Marks: seconds on the clock."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 140} {y + 10}" role="img">'
        f"<title>{title}</title><style>{style}</style>"
        f'<rect width="100%" height="100%" style="fill:#fff"/>'
        f'<text x="8" y="16">{title}</text>' + "".join(grid + parts) + "</svg>\n"
    )


def main() -> None:
    """Print the table, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", default="dbfaed4", metavar="COMMIT")
    parser.add_argument("--picture", type=Path, metavar="FILE")
    parser.add_argument("--only", default="", metavar="GROUP")
    parser.add_argument("--brief", action="store_true", help="leave out the slowest rows")
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--grid", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.batch or options.grid:
        judge_batch(options.batch) if options.batch else judge_on_grid(options.grid)
        return
    print(machine())
    print("| | CPU s | wall s | MB | cases | cases per CPU s |\n|---|---|---|---|---|---|")
    rows = []
    groups = {name: group for name, group in GROUPS.items() if options.only in name}
    with tempfile.TemporaryDirectory() as directory:
        if any(
            command[: len(RUN) - 2] == RUN[:-2] for g in groups.values() for command in g.values()
        ):
            measure_command(MANY, Path(directory))  # compiles
        for group, listed in groups.items():
            for name, command in listed.items():
                if not (options.brief and name in _SLOW):
                    row = measure(group, name, command, options.before, Path(directory))
                    rows.append(row)
                    print(cells(row), flush=True)
    if options.picture is not None:
        options.picture.write_text(picture(rows), "utf-8")


if __name__ == "__main__":
    main()
