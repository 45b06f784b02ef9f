"""Expressions that one would write in the place of a wrong one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from copy import deepcopy
from enum import IntEnum
from itertools import combinations, product
from math import inf
from typing import Any


class Rank(IntEnum):
    """How usual an edit is; the most usual first."""

    CALL = 0
    """Arguments are exchanged, one is left out or overrides an attribute or another, or a reshaping
    transposes."""
    CHOICE = 1
    """A comparison, a condition or a choice is another one; so is the order of results."""
    VALUE = 2
    """A constant, a dtype or a count is another one, results are exchanged, a test is negated."""
    OPERATION = 3
    """An operator is another one, or lacks an operand; statements are in another order, or one
    keeps what it calls for."""
    GUARD = 4
    """A statement is executed in training only."""
    GUARDS = 5
    """Several statements are."""
    SIBLING = 6
    """What is done for one statistic is done for the other."""
    FLATTER = 7
    """A call that only gives an array another shape is left out."""
    SHORTER = 8
    """A call is left out."""
    ABSENT = 9
    """A statement is left out."""
    FACTOR = 10
    """There is a constant factor, or a count. From here on edits are guessed."""
    PRODUCT = 11
    """There is another factor."""
    NAME = 12
    """There is another name."""
    QUOTIENT = 13
    """There is a divisor."""
    TERM = 14
    """There is another term."""
    NAMES = 15
    """Two statements in a row use another name."""


Function = ast.FunctionDef | ast.AsyncFunctionDef
Others = Iterator[tuple[Rank, ast.expr]]
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
_OTHER_ATTRIBUTE = {
    **dict.fromkeys(("bfloat16", "float16"), "float32"),
    "zeros": "ones",
    "ones": "zeros",
    "zeros_init": "ones_init",
    "ones_init": "zeros_init",
}
_CHOOSING = {"where", "select", "cond", "switch"}
"""Functions whose first argument chooses among the others."""

_ARRANGING = {"squeeze", "reshape", "ravel", "flatten", "transpose", "swapaxes"}
_DTYPES = {"bfloat16", "float16", "half", "float32"}
SHAPES = {"shape", "ndim", "size", "dtype"}
"""Attributes of an array that are none of its values."""

_MOST_ARGUMENTS = 5
_LARGEST_DEGREE = 3
"""The largest integer that may be an exponent, an axis or a number of degrees of freedom."""


def alternatives(node: ast.expr, parent: ast.AST, field: str, function: Function | None) -> Others:
    """Yield expressions in the place of another one, each with the rank of the edit.

    Args:
        node: The expression.
        parent: The node around it.
        field: The field of that.
        function: The function around it.
    """
    if isinstance(node, ast.Call):
        yield from _other_calls(node)
    elif isinstance(node, ast.Tuple | ast.List | ast.Dict):
        yield from _other_displays(node)
    elif isinstance(node, ast.BinOp | ast.UnaryOp):
        yield from _other_operations(node)
    elif isinstance(node, ast.IfExp | ast.BoolOp | ast.Compare):
        yield from _other_choices(node)
    elif isinstance(node, ast.Constant):
        yield from ((Rank.VALUE, ast.Constant(each)) for each in other_constants(node.value))
    elif isinstance(node, ast.Attribute):
        yield from other_attributes(node)
    elif isinstance(node, ast.Name) and function is not None:
        names = names_in(function, node.lineno)
        others = (each for each in names if each != node.id and node.id in names)
        yield from ((Rank.NAME, ast.Name(each, ast.Load())) for each in others)
    if field == "test" and not isinstance(node, ast.UnaryOp):
        yield Rank.VALUE, ast.UnaryOp(ast.Not(), node)
    if field == "value" and isinstance(parent, ast.Assign | ast.Return):
        yield from _with_factors(node, function)


def _other_displays(node: ast.Tuple | ast.List | ast.Dict) -> Others:
    if not isinstance(node, ast.Dict):
        for one, two in combinations(range(len(node.elts[:_MOST_ARGUMENTS])), 2):
            yield Rank.VALUE, type(node)(exchanged(node.elts, one, two), ast.Load())
        return
    for at in range(1, len(node.keys)):
        if node.keys[at] is None or node.keys[at - 1] is None:  # **entries, the last overrides
            keys, values = (exchanged(each, at - 1, at) for each in (node.keys, node.values))
            yield Rank.CALL, ast.Dict(keys, values)


def _other_choices(
    node: ast.IfExp | ast.BoolOp | ast.Compare,
) -> Others:
    if isinstance(node, ast.IfExp):
        yield Rank.CHOICE, ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.BoolOp):
        held = isinstance(node.values[-1], ast.Attribute)  # what an argument overrides
        if isinstance(node.op, ast.Or) and len(node.values) == 2 and held:
            missing = ast.Compare(node.values[0], [ast.Is()], [ast.Constant(None)])
            yield Rank.CALL, ast.IfExp(missing, node.values[1], node.values[0])
        yield (
            Rank.CHOICE,
            ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values),
        )
        yield from ((Rank.CHOICE, each) for each in node.values)
    elif type(node.ops[0]) in _OTHER_COMPARISON:
        other = _OTHER_COMPARISON[type(node.ops[0])]()
        yield Rank.CHOICE, ast.Compare(node.left, [other, *node.ops[1:]], node.comparators)


def other_attributes(node: ast.Attribute) -> Others:
    """Yield what is meant instead of a dtype of few bits, an initial value, or a size."""
    if node.attr in _OTHER_ATTRIBUTE:
        yield Rank.VALUE, ast.Attribute(node.value, _OTHER_ATTRIBUTE[node.attr], ast.Load())
    if node.attr == "size":
        shape = ast.Attribute(node.value, "shape", ast.Load())
        yield Rank.VALUE, ast.Subscript(shape, ast.Constant(0), ast.Load())


def _other_calls(node: ast.Call) -> Others:
    args, keywords = node.args, node.keywords
    if not any(isinstance(each, ast.Starred) for each in args):
        first = 1 if getattr(node.func, "attr", "") in _CHOOSING else 0
        for one, two in combinations(range(first, len(args[:_MOST_ARGUMENTS])), 2):
            yield Rank.CALL, ast.Call(node.func, exchanged(args, one, two), keywords)
    for one, two in combinations(range(len(keywords)), 2):
        others = [ast.keyword(each.arg, each.value) for each in keywords]
        others[one].value, others[two].value = keywords[two].value, keywords[one].value
        yield Rank.CALL, ast.Call(node.func, args, others)
    if getattr(node.func, "id", "") == "range":
        for at, operator in product(range(len(args)), (ast.Add(), ast.Sub())):
            near = ast.BinOp(args[at], operator, ast.Constant(1))
            yield Rank.VALUE, ast.Call(node.func, [*args[:at], near, *args[at + 1 :]], keywords)
    for each in keywords:
        yield (
            Rank.CALL,
            ast.Call(node.func, args, [other for other in keywords if other is not each]),
        )
    if isinstance(node.func, ast.Attribute) and node.func.attr in {"reshape", "transpose"}:
        given = [each for each in args[:1] if isinstance(each, ast.Name | ast.Attribute)]
        for array in (node.func.value, *given):  # x.reshape(…), or jnp.reshape(x, …)
            yield Rank.CALL, ast.Attribute(array, "T", ast.Load())
            exchange = ast.Attribute(array, "swapaxes", ast.Load())  # of more axes
            yield Rank.CALL, ast.Call(exchange, [ast.Constant(0), ast.Constant(1)], [])
    yield from _without(node)


def _without(node: ast.Call) -> Others:
    """Yield what a call is made of, or given first."""
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    rank = Rank.FLATTER if name in _ARRANGING else Rank.SHORTER
    if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
        yield rank, node.func.value
    elif isinstance(node.func, ast.Attribute) and name == "astype":
        yield Rank.VALUE if _names_dtype(node) else rank, node.func.value
    if node.args and not isinstance(node.args[0], ast.Starred):
        yield rank, node.args[0]


def _names_dtype(cast: ast.Call) -> bool:
    """Return whether a cast says itself to which dtype."""
    said = (getattr(each, "attr", getattr(each, "value", None)) for each in cast.args)
    return any(each in _DTYPES for each in said)


def _other_operations(node: ast.BinOp | ast.UnaryOp) -> Others:
    if isinstance(node, ast.UnaryOp):
        if isinstance(getattr(node.operand, "value", None), int):
            yield Rank.VALUE, ast.Constant(0)  # instead of −0
        yield Rank.CHOICE if isinstance(node.op, ast.Not) else Rank.OPERATION, node.operand
        return
    if not isinstance(node.op, ast.Add | ast.Mult):
        overrides = isinstance(node.op, ast.BitOr)  # of two dictionaries, the last
        rank = Rank.CALL if overrides else Rank.OPERATION
        yield rank, ast.BinOp(node.right, node.op, node.left)
    if type(node.op) in _OTHER_OPERATOR:
        yield Rank.OPERATION, ast.BinOp(node.left, _OTHER_OPERATOR[type(node.op)](), node.right)
    yield Rank.OPERATION, node.left
    yield Rank.OPERATION, node.right
    if isinstance(node.left, ast.BinOp):
        yield from _other_chains(node, node.left)


def _other_chains(node: ast.BinOp, left: ast.BinOp) -> Others:
    """Yield what the first two operands of (a∘b)∘c are in other forms: a, and (a∘c)∘b."""
    yield Rank.OPERATION, left.left
    if not isinstance(left.op, type(node.op)):
        yield (
            Rank.OPERATION,
            ast.BinOp(ast.BinOp(left.left, left.op, node.right), node.op, left.right),
        )


def other_constants(value: Any) -> Iterator[float]:
    """Yield numbers that are written instead of a number, and the other truth value."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        usual = (0, 1, -1, 2) if value <= _LARGEST_DEGREE else ()  # else it is a size
        near = dict.fromkeys((*usual, value + 1, value - 1))
        yield from (each for each in near if each != value)
    elif isinstance(value, float):
        others = dict.fromkeys((0.0, 1.0, 0.5, 2.0, 1 - value, -value))
        factors = {value, value / 2, 2 * value}  # which may as well be missing elsewhere
        yield from (each for each in others if each not in factors)


def _with_factors(node: ast.expr, function: Function | None) -> Others:
    """Yield an expression, or each part of a tuple, with a factor."""
    if isinstance(node, ast.Tuple):
        for at, part in enumerate(node.elts):
            for rank, new in _with_factors(part, function):
                yield rank, ast.Tuple([*node.elts[:at], new, *node.elts[at + 1 :]], ast.Load())
        return
    for name in _counts(function):
        for operator in (ast.Div(), ast.Mult()):
            yield Rank.FACTOR, ast.BinOp(node, operator, ast.Name(name, ast.Load()))
    for factor in (2, 0.5, -1):
        yield Rank.FACTOR, ast.BinOp(ast.Constant(factor), ast.Mult(), node)
    others = _values_in(function, node.lineno)
    for rank, operator in ((Rank.PRODUCT, ast.Mult()), (Rank.QUOTIENT, ast.Div())):
        for each in others:
            yield rank, ast.BinOp(node, operator, each)
            if isinstance(node, ast.Subscript):
                whole = ast.BinOp(node.value, operator, each)
                yield rank, ast.Subscript(whole, node.slice, ast.Load())
    for each, sign in product(others, (ast.Add(), ast.Sub())):
        square = ast.BinOp(each, ast.Pow(), ast.Constant(2))
        yield from ((Rank.TERM, ast.BinOp(node, sign, term)) for term in (each, square))


def _values_in(function: Function | None, before: int) -> list[ast.expr]:
    """Return what a function names before a line: its variables, and parts of them."""
    if function is None:
        return []
    names = names_in(function, before)
    found: dict[str, ast.expr] = {name: ast.Name(name, ast.Load()) for name in names}
    called = {id(each.func) for each in ast.walk(function) if isinstance(each, ast.Call)}
    for each in ast.walk(function):
        if id(each) in called:
            continue
        if isinstance(each, ast.Attribute | ast.Subscript) and not is_target(each):
            known = getattr(each.value, "id", "") in names
            if known and getattr(each, "attr", "") not in SHAPES:
                found.setdefault(ast.unparse(each), deepcopy(each))
    return [*found.values()]


def _counts(function: Function | None) -> Iterator[str]:
    """Yield the names of a function that are numbers of rows or of features."""
    assigned = (each for each in ast.walk(function or ast.Pass()) if isinstance(each, ast.Assign))
    for each in assigned:
        sizes = (getattr(n, "attr", "") or getattr(n, "id", "") for n in ast.walk(each.value))
        if not {"shape", "len"}.isdisjoint(sizes):
            names = (n for target in each.targets for n in ast.walk(target))
            yield from (n.id for n in names if isinstance(n, ast.Name))


def exchanged(items: Sequence[Any], one: int, two: int) -> list[Any]:
    """Return items with two of them in each other's place."""
    found = [*items]
    found[one], found[two] = items[two], items[one]
    return found


def names_in(function: Function, before: float = inf) -> list[str]:
    """Return the names that arguments and variables have before a line, but that of the module."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    stored = (each for each in ast.walk(function) if isinstance(each, ast.Name))
    names += [e.id for e in stored if isinstance(e.ctx, ast.Store) and e.lineno < before]
    return [name for name in dict.fromkeys(names) if name not in {"self", "cls"}]


def is_target(node: ast.expr) -> bool:
    """Return whether an expression is assigned to, or deleted."""
    return isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
