"""Where the attributes of a module get their values when it is constructed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from conformance.adapters.operations.frames import is_own
from conformance.adapters.operations.name_flow import describe_node, function_at
from conformance.adapters.operations.name_origins import argument_of


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
        for each in ast.walk(function)
        if isinstance(each, ast.Assign | ast.AnnAssign) and _assigns(each, attribute)
    ]
    if len(found) != 1:
        return None
    number, statement = found[0]
    code = constructors[number][1]
    given = statement.value
    if not isinstance(given, ast.Name) or given.id not in code.co_varnames[: code.co_argcount]:
        return describe_node(statement, code.co_filename)
    if number == 0:
        return None if given.id == attribute else describe_node(statement, code.co_filename)
    outer, around = constructors[number - 1]
    calls = [e for e in ast.walk(outer) if isinstance(e, ast.Call) and _name_of(e) == "__init__"]
    if len(calls) != 1:
        return None
    passed = argument_of(calls[0], code, given.id)
    same = isinstance(passed, ast.Name) and passed.id == given.id
    return None if same else describe_node(calls[0], around.co_filename)


def _constructors(owner: type) -> Iterator[tuple[ast.FunctionDef, Any]]:
    """Yield the constructors of a class and of its bases, and their code, in the order of calls."""
    for each in owner.__mro__:
        code = getattr(vars(each).get("__init__"), "__code__", None)
        if code is not None and is_own(code.co_filename):
            function = function_at(code.co_filename, code.co_firstlineno)
            if function is not None:
                yield function, code


def _assigns(statement: ast.Assign | ast.AnnAssign, attribute: str) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    flat = [part for each in targets for part in getattr(each, "elts", [each])]
    return any(isinstance(each, ast.Attribute) and each.attr == attribute for each in flat)


def _name_of(call: ast.Call) -> str:
    return getattr(call.func, "attr", "")
