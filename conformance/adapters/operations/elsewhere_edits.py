"""Expressions that a function, or a call of the same function, has elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy

from conformance.adapters.operations.edit import Around
from conformance.adapters.operations.other_expressions import (
    SHAPES,
    Function,
    Others,
    Rank,
    is_target,
    names_in,
)


def calls_of(tree: ast.Module) -> dict[str, list[tuple[ast.Call, frozenset[str]]]]:
    """Return the calls of a source by what they call, each with the variables around."""
    found: dict[str, list[tuple[ast.Call, frozenset[str]]]] = {}

    def visit(node: ast.AST, known: frozenset[str]) -> None:
        if isinstance(node, Function):
            known = frozenset(names_in(node))
        if isinstance(node, ast.Call):
            found.setdefault(ast.dump(node.func), []).append((node, known))
        for each in ast.iter_child_nodes(node):
            visit(each, known)

    visit(tree, frozenset())
    return found


def as_elsewhere(node: ast.expr, parent: ast.AST, field: str, around: Around) -> Others:
    """Yield a call with the arguments of another one, and an operand with what it is combined with.

    Where a value is assigned or returned, variables are read instead of attributes of their names.

    Args:
        node: The expression.
        parent: The node around it.
        field: The field of that.
        around: What is around that.
    """
    if around.function is None:
        return
    if isinstance(node, ast.Call):
        yield from ((Rank.CALL, each) for each in _given_more(node, around))
    elif isinstance(node, ast.Name | ast.Attribute) and not is_target(node):
        yield from ((Rank.OPERATION, each) for each in _combined(node, around.function))
    if field == "value" and isinstance(parent, ast.Assign | ast.Return):
        local = _Local({*names_in(around.function, node.lineno)})
        read = local.visit(deepcopy(node))
        if local.found:
            yield Rank.CHOICE, read


def _given_more(node: ast.Call, around: Around) -> Iterator[ast.Call]:
    """Yield a call with the further arguments of other calls, if their variables are there.

    Calls that have different keywords do different things.
    """
    known = {*names_in(around.function)} if around.function else set[str]()
    given = {each.arg for each in node.keywords}
    seen = set()
    for other, names in around.file.calls.get(ast.dump(node.func), ()):
        args = [*node.args, *other.args[len(node.args) :]]
        keywords = [*node.keywords, *(each for each in other.keywords if each.arg not in given)]
        made = ast.Call(node.func, args, keywords)
        if not given <= {each.arg for each in other.keywords}:
            continue
        added = len(args) > len(node.args) or len(keywords) > len(node.keywords)
        used = {each.id for each in ast.walk(made) if isinstance(each, ast.Name)}
        if added and used & names <= known and ast.dump(made) not in seen:
            seen.add(ast.dump(made))
            yield deepcopy(made)


def _combined(node: ast.Name | ast.Attribute, function: Function) -> Iterator[ast.expr]:
    """Yield what an expression is combined with elsewhere in a function: v + ε for v.

    The complement of a weight is another weight.
    """
    text = ast.unparse(node)
    seen = set[str]()
    for each in ast.walk(function):
        if not isinstance(each, ast.BinOp) or any(part is node for part in ast.walk(each)):
            continue
        whole = ast.unparse(each)
        complement = isinstance(each.op, ast.Sub) and isinstance(each.left, ast.Constant)
        parts = () if complement else map(ast.unparse, (each.left, each.right))
        if text in parts and whole not in seen:
            seen.add(whole)
            yield deepcopy(each)


class _Local(ast.NodeTransformer):
    """Reads variables instead of attributes of the same names, and of what these hold."""

    def __init__(self, names: set[str]) -> None:
        self._names, self.found = names, False

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        whole = isinstance(node.slice, ast.Constant) and node.slice.value is ...
        held = self._read(node.value) if whole else None
        return held or self._other(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        held = node.value if node.attr == "value" else node
        return self._read(held) or self._other(node)

    def _other(self, node: ast.expr) -> ast.expr:
        self.generic_visit(node)
        return node

    def _read(self, node: ast.expr) -> ast.expr | None:
        if not isinstance(node, ast.Attribute) or node.attr not in self._names - SHAPES:
            return None
        self.found = True
        return ast.Name(node.attr, ast.Load())
