"""Draw the kill matrix: faults from top to bottom, requirements from left to right.

Usage: python docs/draw_matrix.py   (needs matplotlib, in the extra `docs`)
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from conformance.report.kill_matrix import KNOWN, KillMatrix
from conformance.requirements import REQUIREMENTS

NOT_JUDGED, CONFORMS, VIOLATES, LISTED, MISSED = range(5)
COLOURS = ("#ececec", "#ffffff", "#8fb8de", "#12355b", "#d1495b")
MEANINGS = (
    "does not apply",
    "conforms",
    "violates",
    "violates, and its record says so",
    "missed",
)


def cells(matrix: KillMatrix, names: list[str]) -> np.ndarray:
    """Return what each cell of the picture means, (faults, requirements)."""
    found = np.full((len(names), len(REQUIREMENTS)), NOT_JUDGED)
    for i, name in enumerate(names):
        row = matrix.rows[name]
        for j, identity in enumerate(REQUIREMENTS):
            listed = identity in row.breaks
            if identity in row.violates:
                found[i, j] = LISTED if listed else VIOLATES
            elif identity in row.judged:
                found[i, j] = MISSED if listed else CONFORMS
    return found


def mark_groups(axes: plt.Axes, groups: list[str], *, vertical: bool) -> None:
    """Label and separate runs of equal names along one axis."""
    start = 0
    for name, run in groupby(groups):
        end = start + len(list(run))
        middle = (start + end - 1) / 2
        if vertical:
            axes.axhline(end - 0.5, color="#999999", linewidth=0.6)
            axes.text(-1, middle, name, ha="right", va="center", fontsize=8)
        else:
            axes.axvline(end - 0.5, color="#999999", linewidth=0.6)
            axes.text(middle, -1.5, name, ha="center", va="bottom", fontsize=6.5, rotation=90)
        start = end


def main() -> None:
    """Write docs/kill-matrix.png."""
    matrix = KillMatrix.read(KNOWN)
    names = sorted(matrix.rows, key=lambda name: matrix.rows[name].family)
    mpl.rcParams["font.family"] = "DejaVu Sans"
    figure, axes = plt.subplots(figsize=(9, 14), layout="constrained")
    axes.imshow(
        cells(matrix, names),
        cmap=ListedColormap(COLOURS),
        vmin=0,
        vmax=len(COLOURS) - 1,
        aspect="auto",
        interpolation="nearest",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    mark_groups(axes, [matrix.rows[name].family for name in names], vertical=True)
    mark_groups(axes, [row.family for row in REQUIREMENTS.values()], vertical=False)
    patches = [
        Patch(facecolor=colour, edgecolor="#999999", label=meaning)
        for colour, meaning in zip(COLOURS, MEANINGS, strict=True)
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.suptitle(f"{len(names)} faults × {len(REQUIREMENTS)} requirements", fontsize=11)
    figure.savefig(Path(__file__).parent / "kill-matrix.png", dpi=110)


if __name__ == "__main__":
    main()
