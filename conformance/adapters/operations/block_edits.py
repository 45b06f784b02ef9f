"""Other statements in the place of those of a block."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import chain

from conformance.adapters.operations.edit import ALSO, IN_TRAINING, INSTEAD, WITHOUT, Around
from conformance.adapters.operations.other_expressions import Function, Rank, names_in

MOMENTS = ("mean", "var", "variance")
"""Keys of statistics."""

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

Change = tuple[Rank, ast.stmt, str, str, list[ast.stmt]]
"""Rank, the first statement, how it is changed, the text then, and the statements instead."""


def edits_of_block(block: list[ast.stmt], around: Around) -> Iterator[Change]:
    """Yield other statements in the place of those of a block."""
    for at, each in enumerate(block):
        if at + 1 < len(block) and (ordered := _exchange(each, block[at + 1])):
            after = [*block[:at], *ordered, *block[at + 2 :]]
            yield Rank.OPERATION, each, INSTEAD, _text(ordered), after
        if around.function is not None and at + 1 < len(block):
            for both in _renamed(each, block[at + 1], around.function):
                after = [*block[:at], *both, *block[at + 2 :]]
                yield Rank.NAMES, each, INSTEAD, _text(both), after
        if not _has_effect(each):
            continue
        for end in range(at + 1, min(at + _MOST_GUARDED, len(block)) + 1):
            if not all(map(_has_effect, block[at:end])):
                break
            guarded = [*block[:at], ast.copy_location(ast.Pass(), each), *block[end:]]
            rank = Rank.GUARD if end == at + 1 and not _decides(each, around) else Rank.GUARDS
            yield rank, each, IN_TRAINING, _text(block[at:end]), guarded
        if kept := _keeping(each):
            after = [*block[:at], kept, *block[at + 1 :]]
            yield Rank.OPERATION, each, INSTEAD, _text([kept]), after
        for new in chain(_forgotten(each, around), _siblings(each, around)):
            yield Rank.SIBLING, each, ALSO, _text([new]), [*block[: at + 1], new, *block[at + 1 :]]
        absent = [*block[:at], ast.copy_location(ast.Pass(), each), *block[at + 1 :]]
        yield Rank.ABSENT, each, WITHOUT, "", absent


def reaches_out(statement: ast.stmt) -> bool:
    """Return whether a statement may change what is not the layer's."""
    names = (each.id for each in ast.walk(statement) if isinstance(each, ast.Name))
    return not _OUTSIDE.isdisjoint(names)


def _has_effect(statement: ast.stmt) -> bool:
    """Return whether a statement stores something in an object of the layer, or calls what may."""
    if reaches_out(statement):
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
    if reaches_out(one) or reaches_out(two):
        return []
    if isinstance(one, ast.Assign) and isinstance(two, ast.Return) and two.value is not None:
        before = ast.copy_location(ast.Assign(one.targets, two.value), one)
        return [before, ast.copy_location(ast.Return(one.value), two)]
    ordered = ast.Assign | ast.AugAssign | ast.Expr
    return [two, one] if isinstance(one, ordered) and isinstance(two, ordered) else []


def _renamed(one: ast.stmt, two: ast.stmt, function: Function) -> Iterator[list[ast.stmt]]:
    """Yield two statements that use another name in the place of one that both use."""
    if not (isinstance(one, ast.Assign) and isinstance(two, ast.Assign | ast.Return)):
        return
    if reaches_out(one) or reaches_out(two):
        return
    known = names_in(function, one.lineno)
    used = [{e.id for e in ast.walk(each) if isinstance(e, ast.Name)} for each in (one, two)]
    for name in sorted(used[0] & used[1] & {*known}):
        for other in known:
            if other != name:
                renamed = Renamed({name: other})
                yield [renamed.visit(deepcopy(each)) for each in (one, two)]


def _decides(statement: ast.stmt, around: Around) -> bool:
    """Return whether a statement hands a flag to what it calls, which should look at it."""
    called = statement.value if isinstance(statement, ast.Expr) else None
    if around.function is None or not isinstance(called, ast.Call):
        return False
    given = (*called.args, *(each.value for each in called.keywords))
    flags = around.file.flags.intersection(names_in(around.function))
    return any(isinstance(each, ast.Name) and each.id in flags for each in given)


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


def _siblings(statement: ast.stmt, around: Around) -> Iterator[ast.stmt]:
    """Yield a statement for one statistic that does for the other what another statement does."""
    copied = Renamed(around.file.statistics).visit(deepcopy(statement))
    if not isinstance(copied, ast.stmt) or ast.dump(copied) == ast.dump(statement):
        return
    yield copied
    names = names_in(around.function) if around.function is not None else []
    for others in (names, MOMENTS):
        used = (getattr(each, "id", getattr(each, "value", "")) for each in ast.walk(copied))
        for one in dict.fromkeys(each for each in used if each in others):
            for two in others:
                if two != one:
                    yield Renamed({one: two}).visit(deepcopy(copied))


def _forgotten(statement: ast.stmt, around: Around) -> Iterator[ast.stmt]:
    """Yield a statement that stores what a method forgets among the attributes of its object.

    Those are what the constructor makes in the same way as what the method does store.
    """
    made = {
        name: ast.dump(each.value.func)
        for name, each in _stores(around.constructor)
        if isinstance(each.value, ast.Call)
    }
    stored = {name for name, _ in _stores(around.function)}
    for name, _ in _stores(statement):
        alike = {each for each, how in made.items() if how == made.get(name)}
        for other in sorted(alike - stored) if len(alike & stored) > 1 else ():
            yield Renamed({name: other}).visit(deepcopy(statement))


def _stores(around: ast.AST | None) -> Iterator[tuple[str, ast.Assign | ast.AugAssign]]:
    """Yield the attributes of an object that are assigned to, or into, with the assignment."""
    for each in ast.walk(around or ast.Pass()):
        if not isinstance(each, ast.Assign | ast.AugAssign):
            continue
        for target in each.targets if isinstance(each, ast.Assign) else [each.target]:
            held = target.value if isinstance(target, ast.Subscript) else target
            if isinstance(held, ast.Attribute) and isinstance(held.value, ast.Name):
                yield held.attr, each


class Renamed(ast.NodeTransformer):
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
