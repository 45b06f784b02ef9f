"""The summary that ``conformance faults`` prints."""

from __future__ import annotations

from collections import defaultdict

from rich.console import Console
from rich.table import Table

from conformance.report.exit_codes import ExitCode
from conformance.report.kill_matrix import KillMatrix, Row


def conditions(max_examples: int, seed: int, *, others: int | None) -> str:
    """Return a sentence with the conditions under which a matrix was made.

    Args:
        max_examples: Cases per property on the requirements that a record names.
        seed: The seed of the cases.
        others: Cases per property on all other requirements; None if those were left out.
    """
    listed = f"each fault on the requirements that its record names, {max_examples} cases each"
    rest = "" if others is None else f", and on all others, {others} cases each"
    return f"{listed}{rest}, times the share of the requirement; seed {seed}"


def conclude(
    matrix: KillMatrix, pairs: int, seconds: float, console: Console, *, full: bool
) -> ExitCode:
    """Print the table by family, the missed faults and the totals; return the exit code.

    Args:
        matrix: Which fault violates which requirement.
        pairs: How many pairs were judged.
        seconds: The wall time.
        console: Where to print.
        full: Whether all faults were judged on all requirements, so that a requirement that none
            of them violates is unproved.
    """
    _print_families(matrix, console)
    for name, identity in matrix.missed:
        console.print(f"missed: {matrix.gallery}:{name} does not violate {identity}", style="red")
    for name, row in matrix.rows.items():
        for identity, outcome in row.failed.items():
            console.print(f"{outcome}: {matrix.gallery}:{name} on {identity}", style="red")
    if full and matrix.unproved:
        console.print(f"unproved: no fault breaks {', '.join(matrix.unproved)}", style="yellow")
    judged = [row for row in matrix.rows.values() if row.judged]
    killed = sum(row.killed for row in judged)
    listed = sum(len(set(row.breaks) & set(row.judged)) for row in judged)
    console.print(
        f"{killed} of {len(judged)} faults are caught; {listed - len(matrix.missed)} of {listed} "
        f"listed pairs are violated.\n{pairs} pairs judged in {seconds:.0f} s.",
        style="bold",
    )
    failed = any(row.failed for row in judged)
    return ExitCode.FAILED if matrix.missed or matrix.survivors or failed else ExitCode.OK


def _print_families(matrix: KillMatrix, console: Console) -> None:
    families: dict[str, list[Row]] = defaultdict(list)
    for row in matrix.rows.values():
        families[row.family].append(row)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("family")
    for title in ("faults", "caught", "listed pairs", "violated"):
        table.add_column(title, justify="right")
    for family, rows in sorted(families.items()):
        listed = sum(len(set(row.breaks) & set(row.judged)) for row in rows)
        missed = sum(len(row.missed) for row in rows)
        caught = sum(row.killed for row in rows)
        table.add_row(family, str(len(rows)), str(caught), str(listed), str(listed - missed))
    console.print(table)
