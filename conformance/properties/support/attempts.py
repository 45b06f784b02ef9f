"""Calls on large batches, for which a layer may have no time or no memory.

The problem sets no limit of either, so that is not a violation: the size is left out, and so are
larger ones. But a layer that does not return from large batches is not to pass as one that is right
there. So the first line of the screen counts such verdicts, the verdict names the size and what was
lacking, and it is vacuous unless some large batch was judged. Where programs grow so much with the
rows that none is compiled, the suite has seen why, and the requirement is not judged.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from conformance.adapters.operations.executor import ExecutorLost
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.notes import count, note_left_out
from conformance.properties.support.program_size import describe_shape
from conformance.properties.support.subject import Subject
from conformance.requirements.finding import FindingKind

T = TypeVar("T")

LONGEST = 60.0
"""Seconds that the calls of one case may take, as far as those on a smaller batch tell."""

LARGE = 4097
"""Rows, or features, from which on reaching a limit is not a violation; some such batch has to be
judged. A layer that unrolls its rows, or compares all pairs of them, can do that many."""

_TIMED = 4096
"""The size from which the time of calls says something about that of others."""

_NO_MEMORY = re.compile("RESOURCE_EXHAUSTED|[Oo]ut of memory|MemoryError|[Uu]nable to allocate")


def attempt(
    subject: Subject,
    shape: tuple[int, ...],
    act: Callable[[], T | None],
    *,
    differentiated: bool = False,
) -> T | None:
    """Return what came of calls on a batch; None, noted, if there is no time or memory for them.

    Args:
        subject: The implementation.
        shape: N and D.
        act: Makes the calls, and fetches their results; None if it has left them out itself.
        differentiated: Whether it takes gradients, which may need more than the calls.
    """
    size, longest, where = math.prod(shape), max(shape), describe_shape(shape)
    calls = "rows" if longest == shape[0] else "features"
    for kind in (calls, "gradients") if differentiated else (calls,):
        limit, text = subject.too_large.get(kind, (math.inf, ""))
        if longest >= limit:
            _leave_out(shape, text)
            return None
    seconds = expected_seconds(subject.paces, size)
    if seconds > LONGEST:
        _leave_out(shape, f"{where} (time: about {seconds:.0f} s, by the sizes before)")
        return None
    started = time.perf_counter()
    try:
        results = act()
    except (ExecutorLost, ViolationFound) as raised:
        lacked = _lacked(raised, longest)
        if not lacked:
            raise
        text = f"{where} and larger ({lacked}: {raised.finding.got})"
        subject.too_large["gradients" if differentiated else calls] = longest, text
        if isinstance(raised, ExecutorLost):
            subject.session.executor.replace_process()
        _leave_out(shape, text)
        return None
    if results is not None:
        _note_judged(subject, shape, time.perf_counter() - started)
    elif not subject.paces:
        count(0).too_large = True
    return results


def expected_seconds(paces: Mapping[int, float], size: int) -> float:
    """Return how long calls on a batch may take: as their time grew between the sizes before.

    Args:
        paces: The seconds that calls took, by the number of elements.
        size: The number of elements.
    """
    before = sorted(n for n in paces if n < size)
    if not before:
        return 0.0
    last, seconds = before[-1], paces[before[-1]]
    smaller = [n for n in before if 2 * n <= last]  # the times of sizes that are close say nothing
    if not smaller:
        return seconds * size / last
    growth = (seconds - paces[smaller[-1]]) / (last - smaller[-1])
    return seconds + max(0.0, growth) * (size - last)


def _lacked(raised: ExecutorLost | ViolationFound, longest: int) -> str:
    """Return what calls on a batch had not enough of; empty if that excuses nothing."""
    if isinstance(raised, ExecutorLost):
        return raised.lacked if longest >= LARGE else ""
    found = raised.finding
    excuses = found.kind is FindingKind.RAISED and _NO_MEMORY.search(str(found.got))
    return "memory" if excuses else ""


def _leave_out(shape: tuple[int, ...], what: str) -> None:
    """Note a batch that is not judged; the verdict is vacuous until a large one is."""
    note_left_out(what)
    notes = count(0)
    if max(shape) >= LARGE and not notes.large_judged:
        sort = "rows" if max(shape) == shape[0] else "features"
        notes.missing = f"no batch of {LARGE:,} {sort} or more could be judged"


def _note_judged(subject: Subject, shape: tuple[int, ...], seconds: float) -> None:
    count(0).too_large = False
    if math.prod(shape) >= _TIMED:
        subject.paces[math.prod(shape)] = seconds
    if max(shape) >= LARGE:
        notes = count(0)
        notes.large_judged, notes.missing = True, ""
