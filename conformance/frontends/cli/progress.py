"""The progress of a run on a terminal; a pipe receives only the result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from conformance.frontends.collection import Collection
from conformance.requirements.verdict import Verdict


class _Progress(Progress):
    """A bar, and lines below it."""

    lines: Sequence[str] = ()

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield from (Text(line) for line in self.lines)


class ProgressDisplay:
    """Shows how far a run is; a context manager.

    Args:
        collection: Collects the verdicts.
        console: Where to print.
        bad: The word for verdicts that are not good.
    """

    def __init__(
        self, collection: Collection, console: Console, *, bad: str = "not conforming"
    ) -> None:
        self._collection = collection
        self._word, self._bad = bad, 0
        self._progress = _Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[bad]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=None, bad="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def observe(self, verdict: Verdict) -> None:
        """Advance the display."""
        self._bad += verdict.outcome.bad
        self._progress.update(
            self._task,
            description=f"judging {verdict.requirement:<12}",
            total=len(self._collection.expected) or None,
            completed=len(self._collection.verdicts),
            bad=f"[red]{self._bad} {self._word}" if self._bad else "",
        )

    def name(self, mistakes: Sequence[dict[str, Any]]) -> None:
        """Show mistakes below the bar, each with its line if that is known.

        Args:
            mistakes: What an implementation seems to do wrong.
        """
        self._progress.lines = [f" Probably: {_sentence(each)}" for each in mistakes]


def _sentence(mistake: dict[str, Any]) -> str:
    line = mistake.get("line")
    place = f" {line['file']}:{line['line']}" if line else ""
    return f"{mistake['sentence']}.{place}"
