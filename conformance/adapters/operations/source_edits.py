"""Small edits of a source, as one makes them to correct a mistake."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

INSTEAD, ALSO, IN_TRAINING, WITHOUT = "instead", "also", "in training", "without"
"""How an edit changes the place that is shown: by other text, by a statement that follows, by a
condition on it, or by its absence."""

USUAL = 0
"""The rank of edits of the arguments of a call: they pass each other's value, or one too many."""

GUESSED = 9
"""The rank from which on an edit is a factor, or another name, of which any may be missing."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Pair = tuple[int, ast.AST]
_SKIPPED = {
    ast.FunctionDef: ("decorator_list", "args", "returns"),
    ast.AsyncFunctionDef: ("decorator_list", "args", "returns"),
    ast.ClassDef: ("bases", "keywords", "decorator_list"),
    ast.AnnAssign: ("annotation",),
    ast.While: ("test",),  # it may never end
}
"""Fields that are no part of what a call evaluates, or that are left alone."""

_ATOMS = ast.Name | ast.Constant | ast.Attribute
_OTHER_OPERATOR = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
_OTHER_COMPARISON = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_NARROW = {"bfloat16", "float16"}
_MOST_ARGUMENTS = 5
_MOST_GUARDED = 3
"""Statements in a row that are made conditional together."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one field of a node.

    Attributes:
        rank: How usual it is; 0 is the most usual.
        shown: The expression, or the first statement, that it concerns.
        how: How it changes that.
        text: What is there then.
        holder: The node.
        field: The field.
        before: Its value.
        after: Its value after the edit.
        statement: The statement around; None for none.
        scope: The names of the classes and functions around.
    """

    rank: int
    shown: ast.expr | ast.stmt
    how: str
    text: str
    holder: ast.AST
    field: str
    before: Any
    after: Any
    statement: ast.stmt | None
    scope: tuple[str, ...]

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make the edit, for a while."""
        setattr(self.holder, self.field, self.after)
        try:
            yield
        finally:
            setattr(self.holder, self.field, self.before)


@dataclass(frozen=True, slots=True)
class _Around:
    """What is around a node: names of scopes, function, statement, and expression to show."""

    scope: tuple[str, ...] = ()
    function: _Function | None = None
    statement: ast.stmt | None = None
    shown: ast.expr | ast.stmt | None = None


def edits_of(tree: ast.Module, statistics: Mapping[str, str]) -> list[Edit]:
    """Return the edits of a source, the most usual first.

    Args:
        tree: The source.
        statistics: The attributes of the running mean and variance, each by that of the other.
    """
    return sorted(_visit(tree, _Around(), statistics), key=lambda edit: edit.rank)


def _visit(node: ast.AST, around: _Around, statistics: Mapping[str, str]) -> Iterator[Edit]:
    skipped = next((names for kind, names in _SKIPPED.items() if isinstance(node, kind)), ())
    inside = _inside(node, around)
    for field, value in ast.iter_fields(node):
        if field in skipped:
            continue
        items = value if isinstance(value, list) else [value]
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            for each in _of_block(value, inside, statistics):
                yield _edit(node, field, value, each, inside)
        for at, item in enumerate(items):
            if isinstance(item, ast.expr) and not _is_target(item):
                for rank, new in _alternatives(item, field, inside):
                    after = [*value[:at], new, *value[at + 1 :]] if items is value else new
                    yield _of_expression(rank, item, new, (node, field, value, after), inside)
            if isinstance(item, ast.AST):
                yield from _visit(item, inside, statistics)


def _inside(node: ast.AST, around: _Around) -> _Around:
    """Return what is around the children of a node."""
    if isinstance(node, _Function | ast.ClassDef):
        function = node if isinstance(node, _Function) else around.function
        return _Around((*around.scope, node.name), function)
    if isinstance(node, ast.stmt):
        return _Around(around.scope, around.function, node, node)
    if isinstance(node, ast.expr) and not isinstance(node, _ATOMS):
        return _Around(around.scope, around.function, around.statement, node)
    return around


def _is_target(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)


def _of_expression(
    rank: int,
    old: ast.expr,
    new: ast.expr,
    change: tuple[ast.AST, str, Any, Any],
    around: _Around,
) -> Edit:
    ast.fix_missing_locations(ast.copy_location(new, old))
    shown = around.shown if isinstance(old, _ATOMS) and around.shown is not None else old
    if isinstance(shown, ast.stmt) and hasattr(shown, "body"):
        shown = old  # the condition, and not all that depends on it
    edit = Edit(rank, shown, INSTEAD, "", *change, around.statement, around.scope)
    with edit.made():
        text = ast.unparse(new if shown is old else shown)
    return Edit(rank, shown, INSTEAD, text, *change, around.statement, around.scope)


def _alternatives(node: ast.expr, field: str, around: _Around) -> Iterator[tuple[int, ast.expr]]:
    """Yield other expressions, each with the rank of the edit."""
    if isinstance(node, ast.Call):
        yield from _other_calls(node)
    elif isinstance(node, ast.Tuple):
        for one, two in combinations(range(len(node.elts[:_MOST_ARGUMENTS])), 2):
            yield 2, ast.Tuple(_exchanged(node.elts, one, two), ast.Load())
    elif isinstance(node, ast.BinOp):
        yield from _other_operations(node)
    elif isinstance(node, ast.UnaryOp):
        yield 3, node.operand
    elif isinstance(node, ast.IfExp):
        yield 1, ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.BoolOp):
        yield 1, ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        yield from ((1, each) for each in node.values)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in _OTHER_COMPARISON:
        other = _OTHER_COMPARISON[type(node.ops[0])]()
        yield 1, ast.Compare(node.left, [other, *node.ops[1:]], node.comparators)
    elif isinstance(node, ast.Constant):
        yield from ((2, ast.Constant(each)) for each in _other_constants(node.value))
    elif isinstance(node, ast.Attribute) and node.attr in _NARROW:
        yield 2, ast.Attribute(node.value, "float32", ast.Load())
    elif isinstance(node, ast.Name) and around.function is not None:
        names = (each for each in _locals(around.function) if each != node.id)
        yield from ((11, ast.Name(each, ast.Load())) for each in names)
    if field == "test" and not isinstance(node, ast.IfExp):
        yield 1, ast.UnaryOp(ast.Not(), node)
    if field == "value" and isinstance(around.statement, ast.Assign | ast.Return):
        yield from _with_factors(node, around)


def _other_calls(node: ast.Call) -> Iterator[tuple[int, ast.expr]]:
    args, keywords = node.args, node.keywords
    if not any(isinstance(each, ast.Starred) for each in args):
        for one, two in combinations(range(len(args[:_MOST_ARGUMENTS])), 2):
            yield USUAL, ast.Call(node.func, _exchanged(args, one, two), keywords)
    for one, two in combinations(range(len(keywords)), 2):
        others = [ast.keyword(each.arg, each.value) for each in keywords]
        others[one].value, others[two].value = keywords[two].value, keywords[one].value
        yield USUAL, ast.Call(node.func, args, others)
    if getattr(node.func, "id", "") == "range":
        for at, operator in product(range(len(args)), (ast.Add(), ast.Sub())):
            near = ast.BinOp(args[at], operator, ast.Constant(1))
            yield 2, ast.Call(node.func, [*args[:at], near, *args[at + 1 :]], keywords)
    for each in keywords:
        yield USUAL, ast.Call(node.func, args, [other for other in keywords if other is not each])
    if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
        yield 7, node.func.value
    elif isinstance(node.func, ast.Attribute) and node.func.attr == "astype":
        yield 2, node.func.value
    if args and not isinstance(args[0], ast.Starred):
        yield 7, args[0]


def _other_operations(node: ast.BinOp) -> Iterator[tuple[int, ast.expr]]:
    if not isinstance(node.op, ast.Add | ast.Mult):
        yield 3, ast.BinOp(node.right, node.op, node.left)
    if type(node.op) in _OTHER_OPERATOR:
        yield 3, ast.BinOp(node.left, _OTHER_OPERATOR[type(node.op)](), node.right)
    yield 3, node.left
    yield 3, node.right


def _other_constants(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [each for each in dict.fromkeys((0, 1, -1, 2, value + 1, value - 1)) if each != value]
    if isinstance(value, float):
        near = dict.fromkeys((0.0, 1.0, 0.5, 2.0, 1 - value, -value))
        return [each for each in near if each != value]
    return []


def _with_factors(node: ast.expr, around: _Around) -> Iterator[tuple[int, ast.expr]]:
    """Yield an expression, or each part of a tuple, with a factor."""
    if isinstance(node, ast.Tuple):
        for at, part in enumerate(node.elts):
            for rank, new in _with_factors(part, around):
                yield rank, ast.Tuple([*node.elts[:at], new, *node.elts[at + 1 :]], ast.Load())
        return
    for name in _counts(around.function):
        for operator in (ast.Div(), ast.Mult()):
            yield 9, ast.BinOp(node, operator, ast.Name(name, ast.Load()))
    for factor in (2, 0.5, -1):
        yield 9, ast.BinOp(ast.Constant(factor), ast.Mult(), node)
    for name in _locals(around.function) if around.function is not None else ():
        for rank, operator in ((10, ast.Mult()), (12, ast.Div())):
            yield rank, ast.BinOp(node, operator, ast.Name(name, ast.Load()))


def _counts(function: _Function | None) -> Iterator[str]:
    """Yield the names of a function that are numbers of rows or of features."""
    assigned = (each for each in ast.walk(function or ast.Pass()) if isinstance(each, ast.Assign))
    for each in assigned:
        sizes = (getattr(n, "attr", "") or getattr(n, "id", "") for n in ast.walk(each.value))
        if not {"shape", "len"}.isdisjoint(sizes):
            names = (n for target in each.targets for n in ast.walk(target))
            yield from (n.id for n in names if isinstance(n, ast.Name))


def _exchanged(items: Sequence[Any], one: int, two: int) -> list[Any]:
    found = [*items]
    found[one], found[two] = items[two], items[one]
    return found


def _locals(function: _Function) -> list[str]:
    """Return the names of a function's arguments and variables, but that of the module."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    stored = (each for each in ast.walk(function) if isinstance(each, ast.Name))
    names += [each.id for each in stored if isinstance(each.ctx, ast.Store)]
    return [name for name in dict.fromkeys(names) if name not in {"self", "cls"}]


_Change = tuple[int, ast.stmt, str, str, list[ast.stmt]]
"""Rank, the first statement, how it is changed, the text then, and the statements instead."""


def _of_block(
    block: list[ast.stmt], around: _Around, statistics: Mapping[str, str]
) -> Iterator[_Change]:
    """Yield other statements in the place of those of a block."""
    for at, each in enumerate(block):
        if not _has_effect(each):
            continue
        for end in range(at + 1, min(at + _MOST_GUARDED, len(block)) + 1):
            if not all(map(_has_effect, block[at:end])):
                break
            guarded = [*block[:at], ast.copy_location(ast.Pass(), each), *block[end:]]
            yield min(4 + end - at - 1, 5), each, IN_TRAINING, _text(block[at:end]), guarded
        for new in _siblings(each, around, statistics):
            yield 6, each, ALSO, _text([new]), [*block[: at + 1], new, *block[at + 1 :]]
        absent = [*block[:at], ast.copy_location(ast.Pass(), each), *block[at + 1 :]]
        yield 8, each, WITHOUT, "", absent


def _edit(
    node: ast.AST, field: str, block: list[ast.stmt], change: _Change, around: _Around
) -> Edit:
    rank, shown, how, text, after = change
    return Edit(rank, shown, how, text, node, field, block, after, shown, around.scope)


def _has_effect(statement: ast.stmt) -> bool:
    """Return whether a statement stores something in an object, or calls what may."""
    if isinstance(statement, ast.AugAssign):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    stored = ast.Attribute | ast.Subscript
    return isinstance(statement, ast.Assign) and isinstance(statement.targets[0], stored)


def _siblings(
    statement: ast.stmt, around: _Around, statistics: Mapping[str, str]
) -> Iterator[ast.stmt]:
    """Yield a statement for one statistic that does for the other what another statement does."""
    copied = _Renamed(statistics).visit(deepcopy(statement))
    if not isinstance(copied, ast.stmt) or ast.dump(copied) == ast.dump(statement):
        return
    yield copied
    used = (each for each in ast.walk(copied) if isinstance(each, ast.Name))
    names = _locals(around.function) if around.function is not None else []
    for one in dict.fromkeys(each.id for each in used if each.id in names):
        for two in names:
            if two != one:
                yield _Renamed({one: two}).visit(deepcopy(copied))


class _Renamed(ast.NodeTransformer):
    """Gives names and attributes other names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        node.attr = self._names.get(node.attr, node.attr)
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._names.get(node.id, node.id)
        return node


def _text(statements: Sequence[ast.stmt]) -> str:
    return "; ".join(ast.unparse(each) for each in statements)
