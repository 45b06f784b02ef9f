"""Small edits of a source, as one makes them to correct a mistake."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from itertools import chain, combinations
from typing import Any

from conformance.adapters.operations.block_edits import (
    MOMENTS,
    Change,
    Renamed,
    edits_of_block,
    reaches_out,
)
from conformance.adapters.operations.context_edits import unusual
from conformance.adapters.operations.default_edits import edits_of_defaults, kinds_of
from conformance.adapters.operations.edit import IN_TRAINING, INSTEAD, WITHOUT, Around, Edit, File
from conformance.adapters.operations.elsewhere_edits import as_elsewhere, calls_of
from conformance.adapters.operations.other_expressions import (
    Function,
    Rank,
    alternatives,
    exchanged,
    is_target,
)

_SKIPPED = {
    ast.FunctionDef: ("decorator_list", "args", "returns"),
    ast.AsyncFunctionDef: ("decorator_list", "args", "returns"),
    ast.ClassDef: ("bases", "keywords", "decorator_list"),
    ast.AnnAssign: ("annotation",),
}
"""Fields that are no part of what a call evaluates, or that are left alone."""

_ATOMS = ast.Name | ast.Constant | ast.Attribute
_PAIRS = tuple({"mean": each, each: "mean"} for each in MOMENTS[1:])
"""Keys of the mean and of the variance, each by that of the other."""


def edits_of(tree: ast.Module, statistics: Mapping[str, str]) -> list[Edit]:
    """Return the edits of a source, the most usual first.

    Args:
        tree: The source.
        statistics: The attributes of the running mean and variance, each by that of the other.

    Returns:
        Nothing for a source with loops that an edit could keep from ending.
    """
    names = (getattr(each, "attr", getattr(each, "id", "")) for each in ast.walk(tree))
    if "while_loop" in names or any(isinstance(each, ast.While) for each in ast.walk(tree)):
        return []
    complements = any(map(_is_complement, ast.walk(tree)))
    file = File(statistics, kinds_of(tree), _flags(tree), complements, calls_of(tree))
    return sorted(_visit(tree, Around(file)), key=lambda edit: edit.rank)


def _is_complement(node: ast.AST) -> bool:
    left = node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) else None
    return isinstance(left, ast.Constant) and left.value == 1


def _flags(tree: ast.Module) -> frozenset[str]:
    """Return the parameters that conditions name."""
    tests = (each.test for each in ast.walk(tree) if isinstance(each, ast.If | ast.IfExp))
    tested = {n.id for test in tests for n in ast.walk(test) if isinstance(n, ast.Name)}
    return frozenset(tested & {each.arg for each in ast.walk(tree) if isinstance(each, ast.arg)})


def _visit(node: ast.AST, around: Around) -> Iterator[Edit]:
    if isinstance(node, ast.stmt) and not hasattr(node, "body") and reaches_out(node):
        return
    skipped = next((names for kind, names in _SKIPPED.items() if isinstance(node, kind)), ())
    inside = _inside(node, around)
    for field, value in ast.iter_fields(node):
        if field in skipped:
            continue
        items = value if isinstance(value, list) else [value]
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            for each in edits_of_block(value, inside):
                yield _edit(node, field, value, each, inside)
        for at, item in enumerate(items):
            if isinstance(item, ast.expr) and not is_target(item):
                others = alternatives(item, node, field, inside.function)
                more = chain(_with_other(item, inside), unusual(item, node, inside))
                elsewhere = as_elsewhere(item, node, field, inside)
                for rank, new in chain(others, more, elsewhere):
                    after = [*value[:at], new, *value[at + 1 :]] if items is value else new
                    yield _of_expression(rank, item, new, (node, field, value, after), inside)
            if isinstance(item, ast.AST):
                yield from _visit(item, inside)
    yield from _edits_of_statement(node, inside)


def _edits_of_statement(node: ast.AST, inside: Around) -> Iterator[Edit]:
    """Yield edits of a statement as a whole."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple | ast.List):
        yield from _unpacked(node, node.targets[0], inside)
    elif isinstance(node, Function):
        yield from edits_of_defaults(node, inside)
    elif isinstance(node, ast.If):
        for how, chosen in ((IN_TRAINING, False), (WITHOUT, True)):
            text = ast.unparse(node.test) if how == IN_TRAINING else ""
            change = node, "test", node.test, ast.copy_location(ast.Constant(chosen), node.test)
            rank = Rank.GUARD if how == IN_TRAINING else Rank.CHOICE
            yield Edit(rank, node.test, how, text, *change, node, inside.scope)


def _edit(node: ast.AST, field: str, block: list[ast.stmt], change: Change, around: Around) -> Edit:
    rank, shown, how, text, after = change
    return Edit(rank, shown, how, text, node, field, block, after, shown, around.scope)


def _with_other(node: ast.expr, around: Around) -> Iterator[tuple[Rank, ast.expr]]:
    """Yield a call that is given the other statistic as well, by its keyword."""
    given = node.keywords if isinstance(node, ast.Call) else []
    present = {each.arg for each in given}
    for each in given:
        for pair in (around.file.statistics, *_PAIRS):
            other = pair.get(each.arg or "")
            if other and other not in present and isinstance(node, ast.Call):
                renamed = Renamed({**around.file.statistics, **pair}).visit(deepcopy(each.value))
                keywords = [*given, ast.keyword(other, renamed)]
                yield Rank.SIBLING, ast.Call(node.func, node.args, keywords)


def _unpacked(
    statement: ast.Assign, target: ast.Tuple | ast.List, around: Around
) -> Iterator[Edit]:
    """Yield the edits that take results in another order."""
    names = target.elts
    for one, two in combinations(range(len(names)), 2):
        change = target, "elts", names, exchanged(names, one, two)
        edit = Edit(Rank.CHOICE, statement, INSTEAD, "", *change, statement, around.scope)
        with edit.made():
            text = ast.unparse(statement)
        yield Edit(Rank.CHOICE, statement, INSTEAD, text, *change, statement, around.scope)


def _inside(node: ast.AST, around: Around) -> Around:
    """Return what is around the children of a node."""
    if isinstance(node, Function | ast.ClassDef):
        scope = (*around.scope, node.name)
        if isinstance(node, Function):
            return Around(around.file, scope, node, constructor=around.constructor)
        methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
        made = next((each for each in methods if each.name == "__init__"), None)
        return Around(around.file, scope, around.function, constructor=made)
    if isinstance(node, ast.stmt):
        return replace(around, statement=node, shown=node)
    if isinstance(node, ast.expr) and not _is_atom(node):
        return replace(around, shown=node)
    return around


def _is_atom(node: ast.expr) -> bool:
    """Return whether an expression says little without what is around it."""
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, _ATOMS)


def _of_expression(
    rank: Rank,
    old: ast.expr,
    new: ast.expr,
    change: tuple[ast.AST, str, Any, Any],
    around: Around,
) -> Edit:
    ast.fix_missing_locations(ast.copy_location(new, old))
    shown = around.shown if _is_atom(old) and around.shown is not None else old
    if isinstance(shown, ast.stmt) and hasattr(shown, "body"):
        shown = old  # the condition, and not all that depends on it
    edit = Edit(rank, shown, INSTEAD, "", *change, around.statement, around.scope)
    with edit.made():
        text = ast.unparse(new if shown is old else shown)
    return Edit(rank, shown, INSTEAD, text, *change, around.statement, around.scope)
