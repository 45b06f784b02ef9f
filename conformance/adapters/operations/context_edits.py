"""Expressions that one would write in the place of another one because of what is around it."""

from __future__ import annotations

import ast
from copy import deepcopy

from conformance.adapters.operations.edit import Around
from conformance.adapters.operations.other_expressions import Function, Others, Rank


def unusual(node: ast.expr, parent: ast.AST, around: Around) -> Others:
    """Yield the complement of a weight, an axis from the end, and a value that is not stale.

    Args:
        node: The expression.
        parent: The node around it.
        around: What is around that.
    """
    if not around.file.complements and _is_renamed(node, parent):
        yield Rank.CHOICE, ast.BinOp(ast.Constant(1), ast.Sub(), node)
    if isinstance(node, ast.Name) and around.function and around.statement:
        again = _assigned_anew(node.id, around.function, around.statement)
        if again is not None:
            yield Rank.OPERATION, deepcopy(again)
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        yield from _from_the_end(node)


def _is_renamed(node: ast.expr, parent: ast.AST) -> bool:
    """Return whether a value is passed on under another name, or without one."""
    name = getattr(node, "attr", getattr(node, "id", ""))
    if not name:
        return False
    if isinstance(parent, ast.Call):
        return node is not parent.func
    if isinstance(parent, ast.Assign):
        target = parent.targets[0]
        return isinstance(target, ast.Name) and target.id != name
    return isinstance(parent, ast.keyword) and parent.arg != name


def _from_the_end(node: ast.GeneratorExp | ast.ListComp) -> Others:
    """Yield a comprehension over a range whose condition understands negative numbers."""
    generator = node.generators[0]
    counted = generator.iter
    if not (isinstance(counted, ast.Call) and getattr(counted.func, "id", "") == "range"):
        return
    for at, test in enumerate(generator.ifs):
        if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq | ast.NotEq):
            copied = deepcopy(node)
            other = ast.BinOp(test.comparators[0], ast.Mod(), counted.args[-1])
            copied.generators[0].ifs[at] = ast.Compare(test.left, test.ops, [other])
            yield Rank.CHOICE, copied


def _assigned_anew(name: str, function: Function, use: ast.stmt) -> ast.expr | None:
    """Return the expression that a name was assigned, if it has another value where it is used.

    That is the case if a name in it was assigned in between, or one that an attribute in it has,
    such as ``mean`` in ``row - old.mean``.
    """
    before = [
        each
        for each in ast.walk(function)
        if isinstance(each, ast.Assign | ast.AugAssign) and each.lineno < use.lineno
    ]
    assigned = [each for each in before if isinstance(each, ast.Assign) and name in _targets(each)]
    if len(assigned) != 1 or not isinstance(assigned[0].targets[0], ast.Name):
        return None
    value = assigned[0].value
    between = (each for each in before if each.lineno > assigned[0].lineno)
    anew = {name for each in between for name in _targets(each)}
    if any(isinstance(each, ast.Name) and each.id in anew for each in ast.walk(value)):
        return value
    held = (each for each in ast.walk(value) if isinstance(each, ast.Attribute))
    return _Taken(anew).visit(deepcopy(value)) if any(e.attr in anew for e in held) else None


class _Taken(ast.NodeTransformer):
    """Takes variables instead of attributes of the same names."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        return ast.Name(node.attr, ast.Load()) if node.attr in self._names else node


def _targets(statement: ast.Assign | ast.AugAssign) -> set[str]:
    """Return the names that are assigned."""
    given = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    stored = (each for target in given for each in ast.walk(target))
    return {e.id for e in stored if isinstance(e, ast.Name) and isinstance(e.ctx, ast.Store)}
