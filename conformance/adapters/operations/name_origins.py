"""Where a name got its value in a call: the statement, or the call, that chose it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import jax
import numpy as np

from conformance.adapters.operations.name_flow import describe_node, expression_at, statement_at

_NEAR = 1e-5
"""The largest difference of two values that are the same, relative to the largest number."""


def plain(value: Any) -> np.ndarray[Any, Any] | None:
    """Return a number or an array in float64; None of anything else."""
    if not isinstance(value, int | float | np.ndarray | np.generic | jax.Array):
        return None
    try:
        return np.asarray(value, np.float64)
    except Exception:  # noqa: BLE001  a tracer, or no numbers
        return None


def are_alike(one: Any, two: Any) -> bool:
    """Return whether two values are the same numbers, in whatever shape."""
    one, two = plain(one), plain(two)
    if one is None or two is None or one.size != two.size:
        return False
    limit = _NEAR * np.maximum(np.abs(one).max(initial=0), np.abs(two).max(initial=0))
    return bool((np.abs(one.ravel() - two.ravel()) <= limit).all())


@dataclass(slots=True, eq=False)
class Execution:
    """One execution of a function of the implementation.

    Attributes:
        code: The function.
        caller: The execution of the function that called it, if that is of the implementation.
        site: The place of the call in it, as ``place_of`` describes it.
        line: The line that is being executed; None before the first.
        values: The values of its names.
        before: The values that names had before those.
        bound: The lines at which names got their values; None for arguments.
    """

    code: CodeType
    caller: Execution | None
    site: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    values: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    bound: dict[str, int | None] = field(default_factory=dict)

    def note(self, names: Mapping[str, Any]) -> None:
        """Note the values of all names after a line."""
        for name, value in names.items():
            if name not in self.values or self.values[name] is not value:
                if name in self.values:
                    self.before[name] = self.values[name]
                self.values[name], self.bound[name] = value, self.line


def find_origin(
    execution: Execution, name: str, right: Any, *, certain: bool = False
) -> dict[str, Any] | None:
    """Return the place that chose the value of a name; None if it was computed for the name.

    Args:
        execution: Where the name is used.
        name: The name.
        right: The value that it should have.
        certain: Only a number that is written there counts, and a call if the name had the right
            value before, or another of its results is the right one. That one has a ``position``.
    """
    if name in execution.code.co_freevars:
        around = execution.caller
        while around is not None and name not in around.code.co_cellvars:
            around = around.caller
        return None if around is None else find_origin(around, name, right, certain=certain)
    line = execution.bound.get(name)
    if line is None:
        return None if certain else _find_argument(execution, name, right)
    statement = statement_at(execution.code.co_filename, line, line)
    value = _value_of(statement, name)
    if statement is None or value is None:
        return None
    described = describe_node(statement, execution.code.co_filename)
    if _is_number(value):
        return described
    if isinstance(value, ast.Call):
        if are_alike(execution.before.get(name), right):
            return described
        beside = [execution.values[each] for each, at in execution.bound.items() if at == line]
        if any(are_alike(each, right) for each in beside):
            return {**described, "position": _position_of(statement, name)}
    inner = None
    if isinstance(value, ast.Name) and value.id in execution.bound:
        inner = find_origin(execution, value.id, right, certain=certain)
    chosen = isinstance(value, ast.Name | ast.IfExp) or _is_part(value)
    return inner or (described if chosen and not certain else None)


def _find_argument(execution: Execution, name: str, right: Any) -> dict[str, Any] | None:
    """Return the call that passed an argument, or the statement with the number passed."""
    caller, call = execution.caller, expression_at(execution.site)
    if caller is None or not isinstance(call, ast.Call):
        return None
    argument = _argument_of(call, execution.code, name)
    if argument is None:
        return None
    inner = None
    if isinstance(argument, ast.Name) and argument.id in caller.bound:
        inner = find_origin(caller, argument.id, right, certain=True)
    return inner or describe_node(call, caller.code.co_filename)


def _argument_of(call: ast.Call, code: CodeType, name: str) -> ast.expr | None:
    """Return the expression that a call passes as an argument; None for a default."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    names = code.co_varnames[: code.co_argcount]
    names = names[names[:1] in {("self",), ("cls",)} :]
    by_another = getattr(call.func, "attr", getattr(call.func, "id", "")) != code.co_name
    if by_another and len(call.args) + len(call.keywords) != len(names):
        return None  # such as a function of JAX that passes what it likes
    if any(isinstance(each, ast.Starred) for each in call.args) or name not in names:
        return None
    return dict(zip(names, call.args, strict=False)).get(name)


def _value_of(statement: ast.stmt | None, name: str) -> ast.expr | None:
    """Return the expression that a statement assigns to a name."""
    pairs: list[tuple[ast.expr, ast.expr]]
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        pairs = [(statement.target, statement.value)]
    elif isinstance(statement, ast.Assign):
        pairs = [(target, statement.value) for target in statement.targets]
    else:
        return None
    for target, value in pairs:
        if isinstance(target, ast.Name) and target.id == name:
            return value
        if isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                pairs += [*zip(target.elts, value.elts, strict=True)]
            else:
                pairs += [(each, value) for each in target.elts]
    return None


def _position_of(statement: ast.stmt, name: str) -> int:
    """Return the position of a name among those to which a statement assigns; -1 if it is alone."""
    several = (each for each in ast.walk(statement) if isinstance(each, ast.Tuple))
    names = [getattr(each, "id", "") for each in next(several, ast.Tuple([])).elts]
    return names.index(name) if name in names else -1


def _is_number(value: ast.expr) -> bool:
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    return isinstance(value, ast.Constant) and isinstance(value.value, int | float)


def _is_part(value: ast.expr) -> bool:
    """Return whether an expression takes a value out of a container of results."""
    if isinstance(value, ast.Subscript):
        return isinstance(value.slice, ast.Constant | ast.Name) and isinstance(
            value.value, ast.Name
        )
    return isinstance(value, ast.Attribute) and (
        isinstance(value.value, ast.Name) and value.value.id != "self" and value.attr != "value"
    )
