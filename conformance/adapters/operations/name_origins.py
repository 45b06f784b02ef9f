"""Where a name got its value in a call: the statement, or the call, that chose it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import jax
import numpy as np

from conformance.adapters.operations.name_flow import describe_node, expression_at, statement_at

_NEAR = 1e-5
"""The largest difference of two values that are the same, relative to the largest number."""


def plain(value: Any) -> np.ndarray[Any, Any] | None:
    """Return a number or an array in float64, of a batched one all lanes; None of anything else."""
    while isinstance(value, jax.core.Tracer):
        value = getattr(value, "val", None)
    if not isinstance(value, int | float | np.ndarray | np.generic | jax.Array):
        return None
    try:
        return np.asarray(value, np.float64)
    except Exception:  # noqa: BLE001  no numbers
        return None


def are_alike(one: Any, two: Any) -> bool:
    """Return whether two values are the same numbers, in whatever shape."""
    one, two = plain(one), plain(two)
    if one is None or two is None or one.size != two.size:
        return False
    limit = _NEAR * np.maximum(np.abs(one).max(initial=0), np.abs(two).max(initial=0))
    return bool((np.abs(one.ravel() - two.ravel()) <= limit).all())


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """A value that a name got.

    Attributes:
        name: The name.
        value: The value.
        line: The line at which it got it; None for an argument.
        before: How many bindings of the function there were before.
    """

    name: str
    value: Any
    line: int | None
    before: int


@dataclass(slots=True, eq=False)
class Execution:
    """One execution of a function of the implementation.

    Attributes:
        code: The function.
        caller: The execution of the function that called it, if that is of the implementation.
        site: The place of the call in it, as ``place_of`` describes it.
        line: The line that is being executed; None before the first.
        bindings: The values that its names got so far.
    """

    code: CodeType
    caller: Execution | None
    site: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    bindings: list[Binding] = field(default_factory=list)
    _values: dict[str, Any] = field(default_factory=dict)

    def note(self, names: Mapping[str, Any]) -> None:
        """Note the values of all names after a line."""
        before = len(self.bindings)
        for name, value in names.items():
            if name not in self._values or self._values[name] is not value:
                self._values[name] = value
                self.bindings.append(Binding(name, value, self.line, before))

    def last(self, name: str, before: int | None = None) -> Binding | None:
        """Return the last binding of a name, or the last one before others."""
        earlier = reversed(self.bindings[:before])
        return next((each for each in earlier if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Search:
    """Seeks the place that chose a value.

    Attributes:
        right: The value that should be there.
        of_attribute: Returns the place that chose the value of an attribute of a class.
        exchanged: Whether the right value is where this one should be: then a call that returns
            both is followed by a statement that takes them in the wrong order.
    """

    right: Any
    of_attribute: Callable[[type, str], dict[str, Any] | None]
    exchanged: bool = False

    def of_name(
        self, execution: Execution, name: str, *, certain: bool = False
    ) -> dict[str, Any] | None:
        """Return the place that chose the value of a name; None if it was computed for the name.

        Args:
            execution: Where the name is used.
            name: The name.
            certain: Only a number that is written there counts, another name, and a call that took
                the place of the right value.
        """
        around: Execution | None = execution
        if name in execution.code.co_freevars:
            while around is not None and name not in around.code.co_cellvars:
                around = around.caller
        bound = None if around is None else around.last(name)
        if around is None or bound is None:
            return None
        return self._of_binding(around, bound, certain=certain)

    def _of_binding(
        self, execution: Execution, bound: Binding, *, certain: bool
    ) -> dict[str, Any] | None:
        if bound.line is None:
            return None if certain else self._of_argument(execution, bound.name)
        file = execution.code.co_filename
        statement = statement_at(file, bound.line, bound.line)
        if isinstance(statement, ast.For) and isinstance(statement.iter, ast.Tuple | ast.List):
            return describe_node(statement.iter, file)
        value = value_of(statement, bound.name)
        if statement is None or value is None:
            return None
        described = describe_node(statement, file)
        if _is_number(value):
            return described
        if isinstance(value, ast.Call) and self._was_there(execution, bound):
            return {**described, "position": _position_of(statement, bound.name)}
        passed = _passed_by(execution, bound, value)
        inner = passed and self._of_binding(execution, passed, certain=certain)
        counted = isinstance(bound.value, int | float)  # by Python, not by JAX
        if counted and isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
            owner = execution.last(value.value.id)
            return None if owner is None else self.of_attribute(type(owner.value), value.attr)
        decided = not certain and (counted or _is_choice(value) or _is_part(value))
        return inner or (described if decided or isinstance(value, ast.Name) else None)

    def _was_there(self, execution: Execution, bound: Binding) -> bool:
        """Return whether the name had the right value before, or if another result has it."""
        earlier = execution.last(bound.name, bound.before)
        if earlier is not None and are_alike(earlier.value, self.right):
            return True
        beside = (each for each in execution.bindings if each.line == bound.line)
        return self.exchanged and any(are_alike(each.value, self.right) for each in beside)

    def _of_argument(self, execution: Execution, name: str) -> dict[str, Any] | None:
        """Return the call that passed an argument, or the statement with the number passed."""
        caller, call = execution.caller, expression_at(execution.site)
        if caller is None or not isinstance(call, ast.Call) or not _passes(call, execution.code):
            return None
        argument = argument_of(call, execution.code, name)
        if isinstance(argument, ast.Name) and argument.id == name:
            return self.of_name(caller, name)  # passed as what it is, so chosen before
        inner = None
        if isinstance(argument, ast.Name):
            inner = self.of_name(caller, argument.id, certain=True)
        if isinstance(argument, ast.Subscript):
            inner = _in_display(caller, argument)
        return inner or describe_node(call, caller.code.co_filename)


def _in_display(execution: Execution, part: ast.Subscript) -> dict[str, Any] | None:
    """Return the statement with a dict in which a key has the value of another name."""
    container, key = part.value, part.slice
    bound = execution.last(container.id) if isinstance(container, ast.Name) else None
    if bound is None or bound.line is None or not isinstance(key, ast.Constant):
        return None
    statement = statement_at(execution.code.co_filename, bound.line, bound.line)
    display = value_of(statement, bound.name)
    if statement is None or not isinstance(display, ast.Dict):
        return None
    for each, value in zip(display.keys, display.values, strict=True):
        same = isinstance(each, ast.Constant) and each.value == key.value
        if same and isinstance(value, ast.Name) and value.id != key.value:
            return describe_node(statement, execution.code.co_filename)
    return None


def _passed_by(execution: Execution, bound: Binding, value: ast.expr) -> Binding | None:
    """Return the binding of another name whose value an expression passes on as it is."""
    names = dict.fromkeys(each.id for each in ast.walk(value) if isinstance(each, ast.Name))
    earlier = (execution.last(name, bound.before) for name in names)
    same = [each for each in earlier if each and are_alike(each.value, bound.value)]
    return same[0] if len(same) == 1 else None


def _names_of(code: CodeType) -> tuple[str, ...]:
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names[names[:1] in {("self",), ("cls",)} :]


def _passes(call: ast.Call, code: CodeType) -> bool:
    """Return whether the arguments of a call are those of a function, in its order."""
    if any(isinstance(each, ast.Starred) for each in call.args):
        return False
    if getattr(call.func, "attr", getattr(call.func, "id", "")) == code.co_name:
        return True  # not a function of JAX, which passes what it likes
    return len(call.args) + len(call.keywords) == len(_names_of(code))


def argument_of(call: ast.Call, code: CodeType, name: str) -> ast.expr | None:
    """Return the expression that a call passes as an argument; None for a default."""
    for each in call.keywords:
        if each.arg == name:
            return each.value
    return dict(zip(_names_of(code), call.args, strict=False)).get(name)


def value_of(statement: ast.AST | None, name: str) -> ast.expr | None:
    """Return the expression that a statement assigns to a name, or to an attribute."""
    pairs: list[tuple[ast.expr, ast.expr]]
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        pairs = [(statement.target, statement.value)]
    elif isinstance(statement, ast.Assign):
        pairs = [(target, statement.value) for target in statement.targets]
    else:
        return None
    for target, value in pairs:
        if name == getattr(target, "id", getattr(target, "attr", "")):
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


def _is_choice(value: ast.expr) -> bool:
    """Return whether an expression chooses one of two values, and not of two functions."""
    if not isinstance(value, ast.IfExp):
        return False
    return not any(isinstance(each, ast.Call) for each in (value.body, value.orelse))


def _is_part(value: ast.expr) -> bool:
    """Return whether an expression takes a value out of a container of results."""
    if isinstance(value, ast.Subscript):
        key, container = value.slice, value.value
        return isinstance(key, ast.Constant | ast.Name) and isinstance(container, ast.Name)
    if not isinstance(value, ast.Attribute) or not isinstance(value.value, ast.Name):
        return False
    return value.value.id != "self" and value.attr != "value"
