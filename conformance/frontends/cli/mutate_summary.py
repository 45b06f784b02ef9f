"""What ``conformance mutate`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby

from rich.console import Console
from rich.text import Text

from conformance.adapters.errors import printable
from conformance.mutation.reach import Place, missed
from conformance.mutation.results import EditOutcome, JudgedEdit, MutationResult, Original
from conformance.report.text import format_list
from conformance.requirements import REQUIREMENTS

_MOST_KILLERS = 5
"""Requirements that are named of those that catch edits."""


def print_summary(result: MutationResult, seconds: float, console: Console) -> None:
    """Print which edits are not caught, what no case reaches, and the totals.

    Args:
        result: What became of the edits.
        seconds: The wall time.
        console: Where to print.
    """
    caught, left = result.count(EditOutcome.CAUGHT), result.count(EditOutcome.NOT_CAUGHT)
    style = "bold yellow" if left else "bold green"
    for line in _caution(result):
        console.print(Text(printable(line)), soft_wrap=True)
    console.print(Text(f"{printable(result.name)}: {_headline(caught, left)}", style))
    for line in chain(_survivors(result), _reach(result.original), _remarks(result)):
        console.print(Text(printable(f" {line}")), soft_wrap=True)
    done = len(result.found)
    judged = f"{done} edits" if done == result.planned else f"{done} of {result.planned} edits"
    drawn = f", drawn from {result.made}" if result.planned < result.made else ""
    console.print(f"{judged}{drawn}, {seconds:.0f} s.")


def _headline(caught: int, left: int) -> str:
    if not left:
        return f"all {caught} edits would have been caught."
    these = "this one" if left == 1 else f"these {left}"
    return f"{caught} of {caught + left} edits would have been caught; {these} not:"


def _caution(result: MutationResult) -> Iterator[str]:
    """Yield what the layer itself violates, which hides edits, and what may be meant."""
    if not result.set_aside:
        return
    rows = format_list([row for row in REQUIREMENTS if row in result.set_aside])
    yield f"! The layer itself does not meet {rows}, so what these see is not caught."
    for suggestion in result.original.suggestions:
        yield f"  To declare, if it is meant: {suggestion}"


def _survivors(result: MutationResult) -> Iterator[str]:
    """Yield each edit that is not caught, those that may change something first."""
    left = sorted(result.of(EditOutcome.NOT_CAUGHT), key=_group)
    for (_, title), group in groupby(left, key=_group):
        if title:
            yield title
        for each in group:
            yield f"  line {each.edit.line}: {each.edit.before}  →  {each.edit.after}"


def _group(judged: JudgedEdit) -> tuple[int, str]:
    """Return the place of the group of edits that one belongs to, and its title."""
    if judged.recognized:
        return 1, f"Recognized as another layer, {judged.recognized}:"
    if not judged.reached:
        return 2, "On a line that no case reaches:"
    if judged.same_program:
        return 3, "With the same program as before, as far as it was traced:"
    return 0, ""


def _reach(original: Original) -> Iterator[str]:
    places = missed(original.places, original.executed)
    lines = sorted({place.line for place in places if not place.branch})
    if lines:
        yield f"No case reaches line {', '.join(_ranges(lines, original.places))}."
    yield from (f"Line {place.line}: {place.branch}." for place in places if place.branch)


def _ranges(lines: Sequence[int], places: Iterable[Place]) -> list[str]:
    """Return lines as text, those that follow each other as a range."""
    number = {line: at for at, line in enumerate(sorted({place.line for place in places}))}
    runs = groupby(enumerate(lines), key=lambda pair: number[pair[1]] - pair[0])
    ends = [[line for _, line in run] for _, run in runs]
    return [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in ends]


def _remarks(result: MutationResult) -> Iterator[str]:
    caught = result.of(EditOutcome.CAUGHT)
    killers = Counter(each.by for each in caught).most_common(_MOST_KILLERS)
    if killers:
        yield f"Caught first by {', '.join(f'{by} ({number})' for by, number in killers)}."
    if should := sum(each.should for each in caught):
        yield f"{should} caught by a SHOULD alone, which fails a run only with --strict."
    if refused := result.count(EditOutcome.NOT_JUDGED):
        yield f"{refused} further edits cannot be imported, constructed or called at all."
