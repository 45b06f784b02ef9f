"""How the time of a run grows: with cases, with implementations, and with the palette.

Whole processes, programs compiled in a run before. The last rows judge in this process, because
the palette is not an option of the command.

Usage: python benchmarks/growth.py [--only ROW]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from side_by_side import RUN, THIS, cases_in
from whole_process import measure_command

PALETTE = [sys.executable, __file__, "--palette"]
FOUR = ("flax", "impl", "variant:welford", "variant:three-term-backward")

ROWS = {
    "cases × ¼": [*RUN, "--max-examples", "25"],
    "cases × 1": RUN,
    "cases × 4": [*RUN, "--max-examples", "400"],
    "cases × 16": [*RUN, "--max-examples", "1600"],
    "implementations × 1": [*RUN[:-2], FOUR[0], "--no-diagnosis"],
    "implementations × 2": [*RUN[:-2], *FOUR[:2], "--no-diagnosis"],
    "implementations × 4": [*RUN[:-2], *FOUR, "--no-diagnosis"],
    "palette × 1": [*PALETTE, "1"],
    "palette × 4": [*PALETTE, "4"],
}


def judged_on(times: int) -> None:
    """Judge flax's layer on a palette that is so many times as large."""
    import side_by_side

    from conformance.strategies import shape_grid

    more = [entry for seed in range(times - 1) for entry in shape_grid.draw_palette(seed)]
    grid = (*shape_grid.DEFAULT, *more)
    shape_grid.palette_of = lambda _: grid
    side_by_side.judge("palette")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="ROW")
    parser.add_argument("--palette", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.palette:
        judged_on(options.palette)
        return
    print("| | wall s | CPU s | cases |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        for command in ([*RUN[:-2], *FOUR, "--no-diagnosis"], [*THIS, "--judge", "palette"]):
            measure_command(command, Path(directory))  # compiles
        for name, command in ROWS.items():
            if options.only in name:
                wall, cpu, _, text = measure_command(command, Path(directory))
                print(f"| {name} | {wall:.1f} | {cpu:.1f} | {cases_in(text)} |", flush=True)


if __name__ == "__main__":
    main()
