"""Writes the renderings of a report: HTML, Markdown, badge, and the summary of a CI job."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance.adapters.errors import printable
from conformance.frontends.cli.parameters import FILE, check_writable
from conformance.report.atomic_files import write_text
from conformance.report.badge import to_badge
from conformance.report.markdown import to_markdown

if TYPE_CHECKING:
    from conformance.report.model import Report

FORMATS = ("text", "json", "github", "gitlab", "sarif", "junit")
"""What ``--format`` takes; but for the first, the keys of ``formats.RENDERERS``."""

_FORMS = {
    "junit": "Write the verdicts as JUnit XML.",
    "html": "Write the report as a single HTML file.",
    "markdown": "Write a short table as Markdown.",
    "badge": "Write a badge as SVG.",
}


def rendering_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--junit``, ``--html``, ``--markdown`` and ``--badge`` to a command."""
    for name, text in reversed(_FORMS.items()):
        option = click.option(f"--{name}", type=FILE, callback=check_writable, help=text)
        command = option(command)
    return command


def different_files(**paths: Path | None) -> None:
    """Refuse options that name the same file: only the last one written would remain.

    Raises:
        click.UsageError: Two options name the same file; the message names them.
    """
    seen: dict[Path, str] = {}
    for option, path in paths.items():
        if path is None:
            continue
        other = seen.setdefault(path.resolve(), option)
        if other != option:
            msg = f"--{other} and --{option} both write {path}: name two files"
            raise click.UsageError(msg)


def publish(report: Report, **wanted: Path | None) -> None:
    """Write the requested renderings.

    Args:
        report: The report.
        **wanted: The files by the name of their option, such as ``html``.

    Raises:
        click.UsageError: A file cannot be written.
    """
    for form, path in wanted.items():
        if path is not None:
            write(form, path, _render(report, form))


def write(option: str, path: Path, text: str) -> None:
    """Write the file that an option names.

    Args:
        option: The option, for messages.
        path: The file.
        text: Its content.

    Raises:
        click.UsageError: The file cannot be written.
    """
    try:
        write_text(path, text)
    except OSError as error:
        msg = f"--{option} {path} cannot be written: {error.strerror}. Name another file."
        raise click.UsageError(printable(msg)) from error


def _render(report: Report, form: str) -> str:
    if form == "html":
        from conformance.report.page import to_html  # noqa: PLC0415  imports Jinja2

        return to_html(report)
    if form == "junit":
        from conformance.report.junit import to_junit  # noqa: PLC0415  imports an XML parser

        return to_junit(report)
    return to_markdown(report) if form == "markdown" else to_badge(report)


def summarize_job(report: Report) -> None:
    """Append the report as Markdown to the summary of the GitHub job, if there is one."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            with Path(path).open("a", encoding="utf-8") as summary:
                summary.write(_render(report, "markdown"))
        except OSError as error:
            click.echo(f"Warning: no job summary: {path}: {error.strerror}", err=True)
