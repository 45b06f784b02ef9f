"""Edits that give a parameter another default, and functions that have them for a while."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import CodeType, FunctionType
from typing import Any

from conformance.adapters.operations.edit import INSTEAD, Around, Edit
from conformance.adapters.operations.other_expressions import (
    Function,
    Others,
    Rank,
    other_attributes,
    other_constants,
)


def edits_of_defaults(function: Function, around: Around) -> Iterator[Edit]:
    """Yield the edits that give a parameter another default."""
    given = function.args
    named = [*given.posonlyargs, *given.args]
    for field, parameters in (
        ("defaults", named[len(named) - len(given.defaults) :]),
        ("kw_defaults", given.kwonlyargs),
    ):
        defaults = getattr(given, field)
        for at, (parameter, default) in enumerate(zip(parameters, defaults, strict=True)):
            if default is None:  # a keyword that must be given
                continue
            shown = ast.copy_location(ast.Name(parameter.arg, ast.Load()), parameter)
            shown.end_lineno, shown.end_col_offset = default.end_lineno, default.end_col_offset
            for rank, new in _instead(default, around.file.kinds):
                after = [*defaults[:at], ast.copy_location(new, default), *defaults[at + 1 :]]
                text = f"{ast.unparse(parameter)} = {ast.unparse(new)}"
                change = given, field, defaults, after
                yield Edit(rank, shown, INSTEAD, text, *change, function, around.scope)


def _instead(default: ast.expr, alike: Mapping[str, Any]) -> Others:
    """Yield other defaults of a parameter, each with the rank of the edit.

    Args:
        default: The default.
        alike: What the names of a module are, for names that could stand for each other.
    """
    if isinstance(default, ast.Constant):
        if type(default.value) is int and default.value > 1:
            return  # the size of parts, for example: another one hides what is wrong with parts
        rank = Rank.CHOICE if isinstance(default.value, bool) else Rank.VALUE
        yield from ((rank, ast.Constant(each)) for each in other_constants(default.value))
    elif isinstance(default, ast.Attribute):
        yield from other_attributes(default)
    elif isinstance(default, ast.Name) and default.id in alike:
        others = (name for name in alike if name != default.id)
        same = (name for name in others if alike[name] == alike[default.id])
        yield from ((Rank.CHOICE, ast.Name(name, ast.Load())) for name in same)


def kinds_of(tree: ast.Module) -> dict[str, Any]:
    """Return what kind of thing each name is that a module assigns, or that is its function."""
    found: dict[str, Any] = {}
    for each in tree.body:
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            made = each.value.func if isinstance(each.value, ast.Call) else None
            found[each.targets[0].id] = type(each.value), made and ast.unparse(made)
        elif isinstance(each, ast.FunctionDef):
            found[each.name] = ast.FunctionDef, len(each.args.args)
    return found


@contextmanager
def defaulting(edit: Edit, file: str, functions: Sequence[FunctionType]) -> Iterator[bool]:
    """Let a parameter have another default, for a while; yield whether it has."""
    assert isinstance(edit.holder, ast.arguments), "a default is edited"  # noqa: S101
    node, field = edit.statement, f"__{edit.field.replace('kw_', 'kw')}__"
    pairs = enumerate(zip(edit.before, edit.after, strict=True))
    at = next(i for i, (old, new) in pairs if old is not new)
    found = [each for each in functions if _is_of(each.__code__, node) and getattr(each, field)]
    before = [getattr(each, field) for each in found]
    source = compile(ast.Expression(edit.after[at]), file, "eval")
    changed = False
    try:
        with suppress(Exception):  # a name may be missing where a function is used
            for each, old in zip(found, before, strict=True):
                value = eval(source, each.__globals__)  # noqa: S307
                name = edit.holder.kwonlyargs[at].arg if field == "__kwdefaults__" else None
                new = (*old[:at], value, *old[at + 1 :]) if name is None else {**old, name: value}
                setattr(each, field, new)
                changed = True
        yield changed
    finally:
        for each, old in zip(found, before, strict=True):
            setattr(each, field, old)


def _is_of(code: CodeType, node: ast.stmt | None) -> bool:
    """Return whether code is that of a function definition, which starts at its decorators."""
    if not isinstance(node, ast.FunctionDef):
        return False
    return code.co_name == node.name and code.co_firstlineno in {
        node.lineno,
        *(each.lineno for each in node.decorator_list),
    }
