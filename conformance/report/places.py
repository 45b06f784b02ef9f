"""Where in a repository the cause of each failure is, for tools that show failures beside code."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from conformance.engine.environments import split_place
from conformance.report.causes import Cause, causes
from conformance.report.model import Report
from conformance.report.text import format_literal
from conformance.requirements import Level
from conformance.requirements.verdict import Outcome, Verdict

_ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Variables in which a CI service names the root of the repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a file of the repository; lines and columns count from 1, the end is excluded.

    Attributes:
        file: The path from the root of the repository, with slashes.
        line: The line.
        column: The column; 0 if only the line is known.
        end_line: The line of the end.
        end_column: The column after the end; 0 if it is not known.
    """

    file: str
    line: int
    column: int = 0
    end_line: int = 0
    end_column: int = 0


def places(report: Report, name: str) -> Iterator[tuple[Cause, Place | None]]:
    """Yield each cause of an implementation with its place: the wrong expression, or the class."""
    for cause in causes(report, name):
        line = cause.line
        if line is None:
            yield cause, find_definition(name)
            continue
        ends = {key: line.get(key, 0) for key in ("column", "end_line", "end_column")}
        yield cause, Place(file=_in_repository(Path(line["file"])), line=line["line"], **ends)


def fails_run(verdict: Verdict, *, strict: bool) -> bool:
    """Return whether a verdict fails a run: a bad one, but a violated SHOULD only if strict."""
    allowed = verdict.outcome is Outcome.VIOLATES and verdict.level is Level.SHOULD and not strict
    return verdict.outcome.bad and not allowed


def describe_failure(verdict: Verdict) -> str:
    """Return what was found, with the smallest inputs that show it."""
    if verdict.violation is None:
        return verdict.detail or verdict.outcome.value
    inputs = (f"{key} = {format_literal(v)}" for key, v in verdict.violation.inputs.items())
    return "; ".join((verdict.violation.finding.sentence(), *inputs))


@cache
def find_definition(name: str) -> Place | None:
    """Return where an implementation is defined, without importing it; None if that is unknown.

    Args:
        name: The name, such as ``my_norm.py:MyBatchNorm`` or ``my_package.norm:MyBatchNorm``.
    """
    module, _, attribute = split_place(name).implementation.rpartition(":")
    path = Path(module).expanduser() if module.endswith(".py") else _find_module(module)
    try:
        body = ast.parse(path.read_bytes()).body if path is not None else None
    except (OSError, SyntaxError, ValueError):
        body = None
    if path is None or body is None:
        return None
    line = 1
    for part in attribute.split("."):
        found = next((node for node in body if part in _names_bound(node)), None)
        line = line if found is None else found.lineno
        body = found.body if isinstance(found, ast.ClassDef) else []
    return Place(file=_in_repository(path), line=line)


def _find_module(name: str) -> Path | None:
    """Return the file of a module, by the import path alone: its packages are not imported."""
    where: list[str] | None = [str(Path.cwd()), *sys.path]
    parts = name.split(".")
    for number in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:number]), where) if name else None
        if spec is None:
            return None
        where = [*(spec.submodule_search_locations or ())]
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None


def _names_bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _in_repository(path: Path) -> str:
    """Return the path of a file from the root of the repository, or else the whole path."""
    file = Path.cwd() / path
    try:
        return file.resolve().relative_to(_root().resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def _root() -> Path:
    for variable in _ROOTS:
        if os.environ.get(variable):
            return Path(os.environ[variable])
    here = Path.cwd()
    return next((each for each in (here, *here.parents) if (each / ".git").exists()), here)
