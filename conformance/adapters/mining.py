"""Numbers that the source of an implementation mentions: sizes and values that it may treat apart.

The literals of the judged class or function come first, then those of what it uses from its own
package, in the order in which it mentions them. Nothing is executed.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import math
import operator
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from textwrap import dedent
from types import FunctionType, MethodType, ModuleType
from typing import Any

MOST = 16
"""Numbers that are kept at most."""

_DEFINITIONS = 64
"""Classes and functions that are read at most."""

_TRIVIAL = {0, 1, 2}
_LARGEST = 1e12
_NOT_MINED = {"builtins", "conformance"}
_FRAMEWORKS = {"equinox", "flax", "haiku", "jax", "keras", "mlx", "numpy", "onnx", "torch"}
"""Packages of which only the judged class itself is read."""

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.LShift: operator.lshift,
    ast.Pow: operator.pow,
}


def mine(judged: Any) -> tuple[float, ...]:
    """Return the numbers that the source of a class or function mentions, without their signs.

    Args:
        judged: The class, function, partial or bound method.
    """
    found: dict[float, None] = {}
    for definition in _definitions(judged):
        for number in _numbers(*definition):
            size = abs(number)
            if math.isfinite(size) and size not in _TRIVIAL and size <= _LARGEST:
                found.setdefault(int(size) if size == int(size) else size)
            if len(found) == MOST:
                return tuple(found)
    return tuple(found)


def _definitions(judged: Any) -> Iterator[tuple[ast.AST, Mapping[str, Any]]]:
    """Yield the syntax trees of what is judged and of what it uses, each with its names."""
    first = unwrap(judged)
    package = str(getattr(first, "__module__", "builtins")).partition(".")[0]
    if package in _NOT_MINED:
        return
    folder = _folder(first)
    queue, seen = deque([first]), {id(first)}

    def add(value: Any) -> None:
        found = unwrap(value)
        if id(found) in seen or not isinstance(found, type | FunctionType):
            return
        owner = str(found.__module__).partition(".")[0]
        if owner in _NOT_MINED | _FRAMEWORKS:
            return
        if owner == package or (folder and _folder(found) == folder):
            seen.add(id(found))
            queue.append(found)

    for _ in range(_DEFINITIONS):
        if not queue:
            return
        current = queue.popleft()
        names = _names_of(current)
        tree = _parse(current)
        if tree is not None:
            yield tree, names
            for value in _mentioned(tree, names):
                add(value)
        for base in getattr(current, "__mro__", ())[1:]:
            add(base)


def unwrap(value: Any) -> Any:
    """Return the class or function behind partials, bound methods and decorators."""
    for _ in range(8):
        if isinstance(value, partial):
            value = value.func
        elif isinstance(value, MethodType):
            value = value.__func__
        elif not isinstance(value, type) and hasattr(value, "__wrapped__"):
            value = value.__wrapped__
        else:
            break
    return value


def _folder(value: Any) -> Path | None:
    """Return the folder of the file that defines a class or function."""
    file = getattr(sys.modules.get(str(getattr(value, "__module__", ""))), "__file__", None)
    return Path(file).resolve().parent if file else None


def _names_of(value: Any) -> Mapping[str, Any]:
    """Return the global names, and the closure, that the source of a class or function sees."""
    if isinstance(value, FunctionType):
        try:
            return {**value.__globals__, **inspect.getclosurevars(value).nonlocals}
        except ValueError:
            return value.__globals__
    return vars(sys.modules.get(str(getattr(value, "__module__", "")), ModuleType("none")))


def _parse(value: Any) -> ast.AST | None:
    try:
        return ast.parse(dedent(inspect.getsource(value)))
    except (OSError, TypeError):
        return _parse_cell(value)
    except (SyntaxError, ValueError):
        return None


def _parse_cell(value: Any) -> ast.AST | None:
    """Return the tree of a class in a notebook, which has no file that its module would name."""
    methods = [
        each for each in getattr(value, "__dict__", {}).values() if isinstance(each, FunctionType)
    ]
    for code in (method.__code__ for method in methods):
        try:
            tree = ast.parse("".join(linecache.getlines(code.co_filename)))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.ClassDef)
                and node.name == value.__name__
                and (node.lineno <= code.co_firstlineno <= (node.end_lineno or 0))
            ):
                return node
    return None


def _mentioned(tree: ast.AST, names: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what the names in a tree stand for, and attributes of the modules among it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names:
            yield names[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = names.get(node.value.id)
            if isinstance(owner, ModuleType):
                yield vars(owner).get(node.attr)


def _numbers(tree: ast.AST, names: Mapping[str, Any]) -> Iterator[float]:
    """Yield the numbers in a tree: literals, arithmetic of literals, and named constants."""
    waiting: deque[ast.AST] = deque([tree])
    while waiting:
        node = waiting.popleft()
        if (number := _fold(node)) is not None:
            yield number
            continue
        named = names.get(node.id) if isinstance(node, ast.Name) else None
        for each in named if isinstance(named, tuple | list) else (named,):
            if type(each) in {int, float}:
                yield each
        waiting.extend(ast.iter_child_nodes(node))


def _fold(node: ast.AST) -> float | None:
    """Return the number that an expression of literals has; None for anything else."""
    if isinstance(node, ast.Constant):
        value: Any = node.value
        return value if type(value) in {int, float} else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _fold(node.operand)
        return None if inner is None else -inner
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS:
        return None
    left, right = _fold(node.left), _fold(node.right)
    if left is None or right is None or abs(right) > _LARGEST or abs(left) > _LARGEST:
        return None
    if isinstance(node.op, ast.Pow | ast.LShift) and abs(right) > 64:
        return None
    try:
        number: Any = _OPERATORS[type(node.op)](left, right)
    except (ArithmeticError, TypeError, ValueError):
        return None
    return number if type(number) in {int, float} else None
