"""Which statements of a module are executed: a probe in front of each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager

lines: set[tuple[str, int]] = set()
"""Module and line of every statement of a probed module that was executed."""

_PROBE = "note_line_"
_noting = False


@contextmanager
def noting_lines() -> Iterator[None]:
    """Have the modules that are made inside the block probed."""
    global _noting  # noqa: PLW0603  modules are made far below
    _noting = True
    try:
        yield
    finally:
        _noting = False


def probed(tree: ast.Module, module: str) -> tuple[ast.Module, dict[str, object]]:
    """Return the module with a probe before every statement, and the names that it needs.

    Probes are in functions; a definition itself is executed when its module is.
    """
    if not _noting:
        return tree, {}
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.FunctionDef):
            lines.add((module, node.lineno))
        if isinstance(node, ast.FunctionDef | ast.If | ast.For):
            node.body = _with_probes(node.body)
        if isinstance(node, ast.If):
            node.orelse = _with_probes(node.orelse)
    names = {_PROBE: lambda line: lines.add((module, line))}
    return ast.fix_missing_locations(tree), dict(names)


def _with_probes(statements: list[ast.stmt]) -> list[ast.stmt]:
    return [
        each
        for statement in statements
        for each in (
            ast.Expr(ast.Call(ast.Name(_PROBE, ast.Load()), [ast.Constant(statement.lineno)], [])),
            statement,
        )
    ]
