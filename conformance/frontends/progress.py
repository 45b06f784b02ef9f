"""The progress of a run; without a terminal or a notebook, lines about what takes long."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Protocol, Self

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from conformance.engine.sandbox.waiting import LongWait
from conformance.frontends.collection import Collection
from conformance.requirements.verdict import Verdict

_SAID_AFTER = 5.0
"""Seconds that something takes before a line says so; the next one comes after twice as many."""

_BEGINNING = 4.0
"""Seconds up to which something is another thing than the one of the same name before."""


class Display(Protocol):
    """Shows how far a run is; a context manager."""

    def __enter__(self) -> Self:
        """Begin to show it."""

    def __exit__(self, *_: object) -> None:
        """Remove what is shown."""

    def observe(self, verdict: Verdict) -> None:
        """Advance the display."""

    def name(self, mistakes: Sequence[dict[str, Any]]) -> None:
        """Show mistakes that an implementation seems to make."""

    def wait(self, wait: LongWait) -> None:
        """Show what has been waited for."""


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
        quiet: Print nothing on standard error.
    """

    def __init__(
        self,
        collection: Collection,
        console: Console,
        *,
        bad: str = "not conforming",
        quiet: bool = False,
    ) -> None:
        self._collection = collection
        self._silent = quiet or console.is_terminal or console.quiet
        self._said: dict[tuple[str, str, str], float] = {}
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

    def wait(self, wait: LongWait) -> None:
        """Show what has been waited for: at once on a terminal, elsewhere ever more rarely."""
        self._progress.update(self._task, description=wait.sentence())
        key = wait.implementation, wait.requirement, wait.operation
        before = self._said.get(key, 0.0) if wait.seconds > _BEGINNING else 0.0
        self._said[key] = before
        if not self._silent and wait.seconds >= max(_SAID_AFTER, 2 * before):
            self._said[key] = wait.seconds
            click.echo(f"{wait.sentence()} …", err=True)


def _sentence(mistake: dict[str, Any]) -> str:
    line = mistake.get("line")
    place = f" {line['file']}:{line['line']}" if line else ""
    return f"{mistake['sentence']}.{place}"


def is_notebook() -> bool:
    """Return whether a Jupyter kernel executes this process's code."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class NotebookDisplay:
    """Shows how far a run is below a cell of a notebook; a context manager.

    Rich needs ipywidgets for that, which few kernels have.

    Args:
        collection: Collects the verdicts.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._bad = 0
        self._shown: Any = None

    def __enter__(self) -> Self:
        display: Any = sys.modules["IPython"].display
        self._shown = display.display(display.HTML("starting"), display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._show("")

    def _show(self, text: str) -> None:
        display: Any = sys.modules["IPython"].display
        self._shown.update(display.HTML(text))

    def observe(self, verdict: Verdict) -> None:
        """Advance the display."""
        self._bad += verdict.outcome.bad
        done, total = len(self._collection.verdicts), len(self._collection.expected)
        bad = f" · {self._bad} not conforming" * bool(self._bad)
        self._show(
            f'<progress value="{done}" max="{total}"></progress> {done}/{total} · '
            f"judging {escape(verdict.requirement)}{bad}"
        )

    def name(self, mistakes: Sequence[dict[str, Any]]) -> None:
        """Show mistakes that an implementation seems to make: no process finds them in between."""

    def wait(self, wait: LongWait) -> None:
        """Show what has been waited for."""
        self._show(escape(wait.sentence()))
