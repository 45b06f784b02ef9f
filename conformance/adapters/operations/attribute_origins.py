"""Where the attributes of a module get their values when it is constructed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from conformance.adapters.operations.frames import is_own
from conformance.adapters.operations.name_flow import describe_node, function_at
from conformance.adapters.operations.name_origins import argument_of, value_of


def find_attribute(owner: type, attribute: str) -> dict[str, Any] | None:
    """Return the statement that assigns an attribute in a constructor, if it is the only one.

    Where a constructor assigns an argument, the call of it is returned that passes another one.

    Args:
        owner: The class of the module.
        attribute: The name of the attribute.
    """
    constructors = [*_constructors(owner)]
    found = [
        (number, each)
        for number, (function, _) in enumerate(constructors)
        for each in _assignments(function, attribute)
    ]
    by_method = _is_assigned_by_method(owner, attribute)
    if not found and not by_method:
        return _find_by_name(owner)
    if len(found) != 1 or by_method:
        return None
    number, statement = found[0]
    code = constructors[number][1]
    given = value_of(statement, attribute)
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if not isinstance(given, ast.Name) or given.id not in arguments:
        chosen = _default_in(constructors[number][0], given)
        return describe_node(chosen or statement, code.co_filename)
    if number == 0:
        return None if given.id == attribute else describe_node(statement, code.co_filename)
    outer, around = constructors[number - 1]
    calls = _outer_calls(outer)
    if len(calls) != 1:
        return None
    passed = argument_of(calls[0], code, given.id)
    same = isinstance(passed, ast.Name) and passed.id == given.id
    return None if same else describe_node(calls[0], around.co_filename)


def _constructors(owner: type) -> Iterator[tuple[ast.FunctionDef, Any]]:
    """Yield the constructors that run, each with its code, in the order of calls."""
    for each in owner.__mro__:
        code = getattr(vars(each).get("__init__"), "__code__", None)
        if code is not None and is_own(code.co_filename):
            function = function_at(code.co_filename, code.co_firstlineno)
            if function is None:
                return
            yield function, code
            if not _outer_calls(function):
                return


def _find_by_name(owner: type) -> dict[str, Any] | None:
    """Return the only call of ``setattr`` that gives attributes of several names the same value."""
    found = [
        (each, code.co_filename)
        for function, code in _methods(owner)
        for each in ast.walk(function)
        if isinstance(each, ast.Call)
        and getattr(each.func, "id", "") == "setattr"
        and not isinstance(each.args[1], ast.Constant)
        and not _varied(function) & _names(each.args[-1])
    ]
    return describe_node(*found[0]) if len(found) == 1 else None


def _varied(function: ast.FunctionDef) -> set[str]:
    """Return the names that the loops of a function assign."""
    loops = (each for each in ast.walk(function) if isinstance(each, ast.For))
    return {name for each in loops for name in _names(each.target)}


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _methods(owner: type) -> Iterator[tuple[ast.FunctionDef, Any]]:
    """Yield the methods of a class and its bases, each with its code."""
    for method in (each for base in owner.__mro__ for each in vars(base).values()):
        code = getattr(method, "__code__", None)
        if code is not None and is_own(code.co_filename):
            function = function_at(code.co_filename, code.co_firstlineno)
            if function is not None:
                yield function, code


def _is_assigned_by_method(owner: type, attribute: str) -> bool:
    """Return whether a method other than a constructor assigns an attribute."""
    others = (each for each, _ in _methods(owner) if each.name != "__init__")
    return any(any(_assignments(each, attribute)) for each in others)


def _assignments(function: ast.FunctionDef, attribute: str) -> Iterator[ast.Assign | ast.AnnAssign]:
    """Yield the statements of a function that assign an attribute."""
    for each in ast.walk(function):
        if isinstance(each, ast.Assign | ast.AnnAssign) and value_of(each, attribute):
            yield each


def _outer_calls(function: ast.FunctionDef) -> list[ast.Call]:
    """Return the calls of the constructor of a base."""
    calls = (each for each in ast.walk(function) if isinstance(each, ast.Call))
    return [each for each in calls if getattr(each.func, "attr", "") == "__init__"]


def _default_in(function: ast.FunctionDef, given: ast.expr | None) -> ast.expr | None:
    """Return the default that chooses how an array is made, if an expression uses only one."""
    arguments = function.args
    several = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(several[::-1], arguments.defaults[::-1], strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    calls = [each.func for each in ast.walk(given or function) if isinstance(each, ast.Call)]
    makers = {each.id for each in calls if isinstance(each, ast.Name)}
    for argument, default in pairs:
        if argument.arg in makers and default is not None:
            return default
    used = {each.id for each in ast.walk(given or function) if isinstance(each, ast.Name)}
    chosen = [default for argument, default in pairs if argument.arg in used and default]
    named = [each for each in chosen if not isinstance(each, ast.Constant) or each.value]
    others = [each for each in named if not isinstance(getattr(each, "value", ""), int | float)]
    return others[0] if len(others) == 1 else None
