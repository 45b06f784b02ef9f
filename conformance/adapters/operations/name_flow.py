"""Where the name of a value is used in its function, after the expression that computes it."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

_LONGEST_TEXT = 200
_PASSING = (ast.Tuple, ast.List, ast.Dict, ast.Starred, ast.keyword, ast.Call, ast.IfExp)
"""What hands a value on as it is; a call does if the value is one of its arguments."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Span = tuple[int, int, int, int]


def uses_of(place: dict[str, Any]) -> list[dict[str, Any]]:
    """Return where names are used to which the value of an expression is assigned.

    Args:
        place: The place of the expression, as ``place_of`` describes it.

    Returns:
        The place of each use, with the text of its statement, ``lines``, the first and the last of
        the statement, and ``passes``: whether the value is only handed on there, to another name,
        function or caller.
    """
    columns = place["column"] - 1, place["end_column"] - 1
    return _uses(place["file"], (place["line"], columns[0], place["end_line"], columns[1]))


def expression_at(place: Mapping[str, Any]) -> ast.expr | None:
    """Return the expression at a place, as ``place_of`` describes it; None if there is none."""
    if not place:
        return None
    span = place["line"], place["column"] - 1, place["end_line"], place["end_column"] - 1
    return next(
        (
            each
            for each in _nodes(place["file"])
            if isinstance(each, ast.expr)
            and _span(each) == span
            and not isinstance(getattr(each, "ctx", None), ast.Store)
        ),
        None,
    )


def statement_at(file: str, line: int, end_line: int) -> ast.stmt | None:
    """Return the innermost statement around some lines."""
    around = (
        each
        for each in _nodes(file)
        if isinstance(each, ast.stmt)
        and each.lineno <= line
        and end_line <= (each.end_lineno or each.lineno)
    )
    return max(around, key=lambda each: (each.lineno, each.col_offset), default=None)


def stored_at(place: Mapping[str, Any]) -> ast.expr | None:
    """Return the expression that the statement at a place assigns; None if it assigns none."""
    statement = statement_at(place["file"], place["line"], place["end_line"])
    return statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None


def function_at(file: str, line: int) -> ast.FunctionDef | None:
    """Return the function whose definition, or whose first decorator, begins at a line."""
    for each in _nodes(file):
        if isinstance(each, ast.FunctionDef):
            decorators = [decorator.lineno for decorator in each.decorator_list]
            if line == min([each.lineno, *decorators]):
                return each
    return None


def describe_node(node: ast.expr | ast.stmt, file: str) -> dict[str, Any]:
    """Return the place of an expression or of a statement, as ``place_of`` describes it."""
    text = ast.get_source_segment("".join(linecache.getlines(file)), node) or ""
    return _described(node, text, file)


@lru_cache(1000)
def _uses(file: str, span: _Span) -> list[dict[str, Any]]:
    try:
        function = _innermost_function(parse(file), span)
    except (SyntaxError, ValueError):
        return []
    if function is None:
        return []
    names = {name for each in ast.walk(function) for name in _assigned(each, span)}
    return [
        {**_place_of(name, statement, file), "passes": passes}
        for statement in ast.walk(function)
        if isinstance(statement, ast.stmt)
        for name, passes in _loads(statement, names)
        if (name.lineno, name.col_offset) >= span[2:]
    ]


def _nodes(file: str) -> Iterator[ast.AST]:
    """Yield what a file consists of; nothing if it is no Python."""
    with suppress(SyntaxError, ValueError):
        yield from ast.walk(parse(file))


@lru_cache(8)
def parse(file: str) -> ast.Module:
    """Return the source of a file, which must stay as it is."""
    return ast.parse("".join(linecache.getlines(file)))


def _span(node: Any) -> _Span:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _innermost_function(tree: ast.Module, span: _Span) -> _Function | None:
    around = [
        each
        for each in ast.walk(tree)
        if isinstance(each, _Function)
        and _span(each)[:2] <= span[:2]
        and span[2:] <= _span(each)[2:]
    ]
    return max(around, key=lambda each: _span(each)[:2], default=None)


def _assigned(node: ast.AST, span: _Span) -> Iterator[str]:
    """Yield the names to which a statement assigns the expression of a span."""
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        pairs = [(node.target, node.value)]
    else:
        return
    for target, value in pairs:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs += zip(target.elts, value.elts, strict=False)
        elif isinstance(target, ast.Name) and _span(value) == span:
            yield target.id


def _loads(node: ast.AST, names: set[str], passes: bool = True) -> Iterator[tuple[ast.Name, bool]]:
    """Yield the uses of names in a statement, but those in statements inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            continue
        if isinstance(child, ast.Name):
            if child.id in names and isinstance(child.ctx, ast.Load):
                yield child, passes
            continue
        handed_on = passes and isinstance(child, _PASSING)
        yield from _loads(child, names, handed_on)


def _place_of(name: ast.Name, statement: ast.stmt, file: str) -> dict[str, Any]:
    lines = linecache.getlines(file)[statement.lineno - 1 : statement.end_lineno]
    ends = [statement.lineno, statement.end_lineno or statement.lineno]
    return {**_described(name, "".join(lines), file), "lines": ends}


def _described(node: ast.AST, text: str, file: str) -> dict[str, Any]:
    line, column, end_line, end_column = _span(node)
    return {
        "file": file,
        "line": line,
        "column": column + 1,
        "end_line": end_line,
        "end_column": end_column + 1,
        "text": " ".join(text.split())[:_LONGEST_TEXT],
    }
