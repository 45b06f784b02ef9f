"""Small edits of a source, as one makes them to correct a mistake."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain, combinations
from typing import Any

from conformance.adapters.operations.other_expressions import (
    Function,
    Rank,
    alternatives,
    defaults_instead,
    exchanged,
    is_target,
    kinds_of,
    names_in,
)

INSTEAD, ALSO, IN_TRAINING, WITHOUT = "instead", "also", "in training", "without"
"""How an edit changes the place that is shown: by other text, by a statement that follows, by a
condition on it, or by its absence."""

_SKIPPED = {
    ast.FunctionDef: ("decorator_list", "args", "returns"),
    ast.AsyncFunctionDef: ("decorator_list", "args", "returns"),
    ast.ClassDef: ("bases", "keywords", "decorator_list"),
    ast.AnnAssign: ("annotation",),
}
"""Fields that are no part of what a call evaluates, or that are left alone."""

_ATOMS = ast.Name | ast.Constant | ast.Attribute
_MOMENTS = ("mean", "var", "variance")
"""Keys of statistics."""

_PAIRS = tuple({"mean": each, each: "mean"} for each in _MOMENTS[1:])
"""Keys of the mean and of the variance, each by that of the other."""

_OUTSIDE = {
    "eval",
    "exec",
    "open",
    "os",
    "pathlib",
    "Path",
    "shutil",
    "socket",
    "subprocess",
    "sys",
}
"""What statements name that are left alone: files, processes, and what is run."""

_MOST_GUARDED = 3
"""Statements in a row that are made conditional together."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one field of a node.

    Attributes:
        rank: How usual it is.
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

    rank: Rank
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
class _File:
    """What is known of a file.

    Attributes:
        statistics: The attributes of the running mean and variance, each by that of the other.
        kinds: What the names of the module are.
        flags: The parameters by which something is decided.
    """

    statistics: Mapping[str, str]
    kinds: Mapping[str, Any]
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Around:
    """What is around a node: names of scopes, function, statement, and expression to show."""

    file: _File
    scope: tuple[str, ...] = ()
    function: Function | None = None
    statement: ast.stmt | None = None
    shown: ast.expr | ast.stmt | None = None


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
    file = _File(statistics, kinds_of(tree), _flags(tree))
    return sorted(_visit(tree, _Around(file)), key=lambda edit: edit.rank)


def _flags(tree: ast.Module) -> frozenset[str]:
    """Return the parameters that conditions name."""
    tests = (each.test for each in ast.walk(tree) if isinstance(each, ast.If | ast.IfExp))
    tested = {n.id for test in tests for n in ast.walk(test) if isinstance(n, ast.Name)}
    return frozenset(tested & {each.arg for each in ast.walk(tree) if isinstance(each, ast.arg)})


def _visit(node: ast.AST, around: _Around) -> Iterator[Edit]:
    if isinstance(node, ast.stmt) and not hasattr(node, "body") and _reaches_out(node):
        return
    skipped = next((names for kind, names in _SKIPPED.items() if isinstance(node, kind)), ())
    inside = _inside(node, around)
    for field, value in ast.iter_fields(node):
        if field in skipped:
            continue
        items = value if isinstance(value, list) else [value]
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            for each in _of_block(value, inside):
                yield _edit(node, field, value, each, inside)
        for at, item in enumerate(items):
            if isinstance(item, ast.expr) and not is_target(item):
                others = alternatives(item, field, inside.function, inside.statement)
                for rank, new in chain(others, _with_other(item, inside)):
                    after = [*value[:at], new, *value[at + 1 :]] if items is value else new
                    yield _of_expression(rank, item, new, (node, field, value, after), inside)
            if isinstance(item, ast.AST):
                yield from _visit(item, inside)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple | ast.List):
        yield from _unpacked(node, node.targets[0], inside)
    elif isinstance(node, Function):
        yield from _defaults(node, inside)
    elif isinstance(node, ast.If):
        change = node, "test", node.test, ast.copy_location(ast.Constant(value=False), node.test)
        text = ast.unparse(node.test)
        yield Edit(Rank.GUARD, node.test, IN_TRAINING, text, *change, node, inside.scope)


def _defaults(function: Function, around: _Around) -> Iterator[Edit]:
    """Yield the edits that give a parameter another default."""
    given = function.args
    named = [*given.posonlyargs, *given.args]
    for field, parameters in (
        ("defaults", named[len(named) - len(given.defaults) :]),
        ("kw_defaults", given.kwonlyargs),
    ):
        defaults = getattr(given, field)
        for at, (parameter, default) in enumerate(zip(parameters, defaults, strict=True)):
            if default is None:  # a keyword that must be given
                continue
            shown = ast.copy_location(ast.Name(parameter.arg, ast.Load()), parameter)
            shown.end_lineno, shown.end_col_offset = default.end_lineno, default.end_col_offset
            for rank, new in defaults_instead(default, around.file.kinds):
                after = [*defaults[:at], ast.copy_location(new, default), *defaults[at + 1 :]]
                text = f"{ast.unparse(parameter)} = {ast.unparse(new)}"
                change = given, field, defaults, after
                yield Edit(rank, shown, INSTEAD, text, *change, function, around.scope)


def _with_other(node: ast.expr, around: _Around) -> Iterator[tuple[Rank, ast.expr]]:
    """Yield a call that is given the other statistic as well, by its keyword."""
    given = node.keywords if isinstance(node, ast.Call) else []
    present = {each.arg for each in given}
    for each in given:
        for pair in (around.file.statistics, *_PAIRS):
            other = pair.get(each.arg or "")
            if other and other not in present and isinstance(node, ast.Call):
                renamed = _Renamed({**around.file.statistics, **pair}).visit(deepcopy(each.value))
                keywords = [*given, ast.keyword(other, renamed)]
                yield Rank.SIBLING, ast.Call(node.func, node.args, keywords)


def _unpacked(
    statement: ast.Assign, target: ast.Tuple | ast.List, around: _Around
) -> Iterator[Edit]:
    """Yield the edits that take results in another order."""
    names = target.elts
    for one, two in combinations(range(len(names)), 2):
        change = target, "elts", names, exchanged(names, one, two)
        edit = Edit(Rank.CHOICE, statement, INSTEAD, "", *change, statement, around.scope)
        with edit.made():
            text = ast.unparse(statement)
        yield Edit(Rank.CHOICE, statement, INSTEAD, text, *change, statement, around.scope)


def _reaches_out(statement: ast.stmt) -> bool:
    """Return whether a statement may change what is not the layer's."""
    names = (each.id for each in ast.walk(statement) if isinstance(each, ast.Name))
    return not _OUTSIDE.isdisjoint(names)


def _inside(node: ast.AST, around: _Around) -> _Around:
    """Return what is around the children of a node."""
    if isinstance(node, Function | ast.ClassDef):
        function = node if isinstance(node, Function) else around.function
        return _Around(around.file, (*around.scope, node.name), function)
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
    around: _Around,
) -> Edit:
    ast.fix_missing_locations(ast.copy_location(new, old))
    shown = around.shown if _is_atom(old) and around.shown is not None else old
    if isinstance(shown, ast.stmt) and hasattr(shown, "body"):
        shown = old  # the condition, and not all that depends on it
    edit = Edit(rank, shown, INSTEAD, "", *change, around.statement, around.scope)
    with edit.made():
        text = ast.unparse(new if shown is old else shown)
    return Edit(rank, shown, INSTEAD, text, *change, around.statement, around.scope)


_Change = tuple[Rank, ast.stmt, str, str, list[ast.stmt]]
"""Rank, the first statement, how it is changed, the text then, and the statements instead."""


def _of_block(block: list[ast.stmt], around: _Around) -> Iterator[_Change]:
    """Yield other statements in the place of those of a block."""
    for at, each in enumerate(block):
        if at + 1 < len(block) and (ordered := _exchange(each, block[at + 1])):
            after = [*block[:at], *ordered, *block[at + 2 :]]
            yield Rank.OPERATION, each, INSTEAD, _text(ordered), after
        if not _has_effect(each):
            continue
        for end in range(at + 1, min(at + _MOST_GUARDED, len(block)) + 1):
            if not all(map(_has_effect, block[at:end])):
                break
            guarded = [*block[:at], ast.copy_location(ast.Pass(), each), *block[end:]]
            rank = Rank.GUARD if end == at + 1 and not _decides(each, around) else Rank.GUARDS
            yield rank, each, IN_TRAINING, _text(block[at:end]), guarded
        if kept := _keeping(each):
            yield (
                Rank.OPERATION,
                each,
                INSTEAD,
                _text([kept]),
                [*block[:at], kept, *block[at + 1 :]],
            )
        for new in _siblings(each, around):
            yield Rank.SIBLING, each, ALSO, _text([new]), [*block[: at + 1], new, *block[at + 1 :]]
        absent = [*block[:at], ast.copy_location(ast.Pass(), each), *block[at + 1 :]]
        yield Rank.ABSENT, each, WITHOUT, "", absent


def _edit(
    node: ast.AST, field: str, block: list[ast.stmt], change: _Change, around: _Around
) -> Edit:
    rank, shown, how, text, after = change
    return Edit(rank, shown, how, text, node, field, block, after, shown, around.scope)


def _has_effect(statement: ast.stmt) -> bool:
    """Return whether a statement stores something in an object of the layer, or calls what may."""
    if _reaches_out(statement):
        return False
    if isinstance(statement, ast.AugAssign):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    stored = ast.Attribute | ast.Subscript
    return isinstance(statement, ast.Assign) and isinstance(statement.targets[0], stored)


def _exchange(one: ast.stmt, two: ast.stmt) -> list[ast.stmt]:
    """Return two statements in the other order, nothing if they have none.

    What is returned stays the last: then the values are exchanged.
    """
    if _reaches_out(one) or _reaches_out(two):
        return []
    if isinstance(one, ast.Assign) and isinstance(two, ast.Return) and two.value is not None:
        before = ast.copy_location(ast.Assign(one.targets, two.value), one)
        return [before, ast.copy_location(ast.Return(one.value), two)]
    ordered = ast.Assign | ast.AugAssign | ast.Expr
    return [two, one] if isinstance(one, ordered) and isinstance(two, ordered) else []


def _decides(statement: ast.stmt, around: _Around) -> bool:
    """Return whether a statement calls what is given a flag, and should look at it."""
    called = statement.value if isinstance(statement, ast.Expr) else None
    given = called.args + [k.value for k in called.keywords] if isinstance(called, ast.Call) else []
    names = {each.id for each in given if isinstance(each, ast.Name)}
    return around.function is not None and not names.isdisjoint(
        around.file.flags.intersection(names_in(around.function))
    )


def _keeping(statement: ast.stmt) -> ast.stmt | None:
    """Return a call as a statement that assigns its result to what is called, or to its argument.

    Values that cannot be changed, such as arrays and tuples, have methods that return others.
    """
    called = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(called, ast.Call):
        return None
    receiver = called.func.value if isinstance(called.func, ast.Attribute) else None
    while isinstance(receiver, ast.Attribute | ast.Subscript) and _is_indexed(receiver):
        receiver = receiver.value  # x.at[i].set(v)
    if not isinstance(receiver, ast.Name) or receiver.id in {"self", "super"}:
        receiver = called.args[0] if called.args else None
    if not isinstance(receiver, ast.Name):
        return None
    target = ast.Name(receiver.id, ast.Store())
    return ast.fix_missing_locations(ast.copy_location(ast.Assign([target], called), statement))


def _is_indexed(node: ast.Attribute | ast.Subscript) -> bool:
    return isinstance(node, ast.Subscript) or node.attr == "at"


def _siblings(statement: ast.stmt, around: _Around) -> Iterator[ast.stmt]:
    """Yield a statement for one statistic that does for the other what another statement does."""
    copied = _Renamed(around.file.statistics).visit(deepcopy(statement))
    if not isinstance(copied, ast.stmt) or ast.dump(copied) == ast.dump(statement):
        return
    yield copied
    names = names_in(around.function) if around.function is not None else []
    for others in (names, _MOMENTS):
        used = (getattr(each, "id", getattr(each, "value", "")) for each in ast.walk(copied))
        for one in dict.fromkeys(each for each in used if each in others):
            for two in others:
                if two != one:
                    yield _Renamed({one: two}).visit(deepcopy(copied))


class _Renamed(ast.NodeTransformer):
    """Gives names, attributes and keys other names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        node.attr = self._names.get(node.attr, node.attr)
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._names.get(node.id, node.id)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, str):
            node.value = self._names.get(node.value, node.value)
        return node


def _text(statements: Sequence[ast.stmt]) -> str:
    return "; ".join(ast.unparse(each) for each in statements)
