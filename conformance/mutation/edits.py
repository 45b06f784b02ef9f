"""The edits: for one node of a syntax tree, the nodes that may take its place.

An edit is a kind and a replacement. Every edit is one that a programmer could have made, and
leaves a program that Python compiles.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from conformance.mutation.edit_scopes import Scope, is_self_attribute

Edits = Iterator[tuple[str, ast.AST]]

_ARITHMETIC: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.Sub),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
_COMPARISON: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COUNTERPARTS = {
    "BatchStat": "Param",
    "Param": "Variable",
    "Variable": "Param",
    "bfloat16": "float32",
    "float16": "float32",
    "float32": "float16",
    "float64": "float32",
    "imag": "real",
    "maximum": "minimum",
    "mean": "sum",
    "minimum": "maximum",
    "ones": "zeros",
    "ones_init": "zeros_init",
    "ones_like": "zeros_like",
    "real": "imag",
    "rsqrt": "sqrt",
    "sqrt": "square",
    "square": "abs",
    "std": "var",
    "sum": "mean",
    "var": "std",
    "zeros": "ones",
    "zeros_init": "ones_init",
    "zeros_like": "ones_like",
}
"""Functions and types of the libraries that are mistaken for each other."""


def edits(node: ast.AST, scope: Scope) -> Edits:
    """Yield every edit of the node itself; its children are edited on their own."""
    make = _MAKERS.get(type(node))
    if make is not None:
        yield from make(node, scope)


def changed(node: Any, **fields: Any) -> Any:
    """Return a copy of the node with some fields replaced."""
    return ast.copy_location(type(node)(**{**dict(ast.iter_fields(node)), **fields}), node)


def _swapped(items: list[Any]) -> Iterator[list[Any]]:
    """Yield the list with each pair of neighbours exchanged in turn."""
    for first, second in pairwise(range(len(items))):
        swapped = list(items)
        swapped[first], swapped[second] = items[second], items[first]
        yield swapped


def _binary(node: ast.BinOp, _: Scope) -> Edits:
    for operator in _ARITHMETIC.get(type(node.op), ()):
        yield "operator", changed(node, op=operator())
    yield "operand dropped", node.left
    yield "operand dropped", node.right
    if isinstance(node.op, ast.Sub | ast.Div):
        yield "operand order", changed(node, left=node.right, right=node.left)


def _augmented(node: ast.AugAssign, _: Scope) -> Edits:
    for operator in _ARITHMETIC.get(type(node.op), ()):
        yield "operator", changed(node, op=operator())
    yield "assignment made plain", ast.Assign([node.target], node.value)
    yield "statement deleted", ast.Pass()


def _unary(node: ast.UnaryOp, _: Scope) -> Edits:
    yield "operator dropped", node.operand


def _compare(node: ast.Compare, _: Scope) -> Edits:
    for at, operator in enumerate(node.ops):
        for other in _COMPARISON.get(type(operator), ()):
            yield "comparison", changed(node, ops=[*node.ops[:at], other(), *node.ops[at + 1 :]])


def _boolean(node: ast.BoolOp, _: Scope) -> Edits:
    yield (
        "boolean operator",
        changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And()),
    )
    if len(node.values) == 2:
        for value in node.values:
            yield "operand dropped", value


def _constant(node: ast.Constant, _: Scope) -> Edits:
    value = node.value
    if isinstance(value, bool):
        others: tuple[Any, ...] = (not value,)
    elif isinstance(value, int):
        others = (value + 1, value - 1)
    elif isinstance(value, float):
        others = (2 * value, 0.0) if value else (1.0,)
    else:
        others = ()  # texts are messages, and None stands for itself
    for other in others:
        yield "constant", changed(node, value=other)


def _name(node: ast.Name, scope: Scope) -> Edits:
    if isinstance(node.ctx, ast.Load):
        for other in scope.other_names(node.id, node.lineno):
            yield "name", changed(node, id=other)


def _attribute(node: ast.Attribute, scope: Scope) -> Edits:
    if is_self_attribute(node):
        for other in scope.other_attributes(node.attr):
            yield "attribute", changed(node, attr=other)
    elif node.attr in _COUNTERPARTS:
        yield "counterpart", changed(node, attr=_COUNTERPARTS[node.attr])


def _subscript(node: ast.Subscript, _: Scope) -> Edits:
    yield "subscript dropped", changed(node.value, ctx=node.ctx)


def _tuple(node: ast.Tuple, _: Scope) -> Edits:
    for items in _swapped(node.elts):
        yield "order", changed(node, elts=items)


def _call(node: ast.Call, scope: Scope) -> Edits:
    for arguments in _swapped(node.args):
        yield "argument order", changed(node, args=arguments)
    if len(node.args) > 1:
        yield "argument dropped", changed(node, args=node.args[:-1])
    for at in range(len(node.keywords)):
        rest = node.keywords[:at] + node.keywords[at + 1 :]
        yield "keyword dropped", changed(node, keywords=rest)
    kept = _what_a_call_is_applied_to(node, scope)
    if kept is not None:
        yield "call dropped", kept


def _what_a_call_is_applied_to(node: ast.Call, scope: Scope) -> ast.AST | None:
    """Return the receiver of a method, or the first argument of a function."""
    function = node.func
    if isinstance(function, ast.Attribute):
        root: ast.AST = function
        while isinstance(root, ast.Attribute):
            root = root.value
        library = isinstance(root, ast.Name) and root.id in scope.imported | {"self"}
        if not library:
            return function.value
    return node.args[0] if node.args and not isinstance(node.args[0], ast.Starred) else None


def _conditional(node: ast.IfExp, _: Scope) -> Edits:
    yield "condition fixed", node.body
    yield "condition fixed", node.orelse
    if _negatable(node.test):
        yield "condition negated", changed(node, test=_negated(node.test))


def _if(node: ast.If, _: Scope) -> Edits:
    for value in (True, False):
        yield "condition fixed", changed(node, test=ast.Constant(value))
    if _negatable(node.test):
        yield "condition negated", changed(node, test=_negated(node.test))


def _negatable(test: ast.expr) -> bool:
    """Return whether negating is an edit that no other kind makes already."""
    return not isinstance(test, ast.UnaryOp | ast.Compare)


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _comprehension(node: ast.comprehension, _: Scope) -> Edits:
    if node.ifs:
        yield "condition dropped", changed(node, ifs=[])


def _return(node: ast.Return, _: Scope) -> Edits:
    if node.value is not None:
        yield "return value", changed(node, value=ast.Constant(None))


def _deleted(node: ast.stmt, _: Scope) -> Edits:
    yield "statement deleted", ast.copy_location(ast.Pass(), node)


_MAKERS: dict[type, Callable[[Any, Scope], Edits]] = {
    ast.AnnAssign: _deleted,
    ast.Assert: _deleted,
    ast.Assign: _deleted,
    ast.Attribute: _attribute,
    ast.AugAssign: _augmented,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.Call: _call,
    ast.Compare: _compare,
    ast.Constant: _constant,
    ast.Delete: _deleted,
    ast.Expr: _deleted,
    ast.For: _deleted,
    ast.If: _if,
    ast.IfExp: _conditional,
    ast.Name: _name,
    ast.Raise: _deleted,
    ast.Return: _return,
    ast.Subscript: _subscript,
    ast.Tuple: _tuple,
    ast.UnaryOp: _unary,
    ast.While: _deleted,
    ast.comprehension: _comprehension,
}
