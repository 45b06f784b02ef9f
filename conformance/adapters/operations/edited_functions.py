"""The functions of an implementation, and what they are with an edit of their source."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from conformance.adapters.operations.default_edits import defaulting
from conformance.adapters.operations.edit import Edit


@lru_cache(4)
def functions_of(files: frozenset[str]) -> dict[str, list[FunctionType]]:
    """Return the functions of files, whatever holds them; looking for them takes as long as a call.

    Those that a function makes whenever it is called are made of its own code.
    """
    found: dict[str, list[FunctionType]] = {file: [] for file in files}
    for each in gc.get_objects():
        if type(each) is FunctionType and each.__code__.co_filename in found:
            found[each.__code__.co_filename].append(each)
    return found


@contextmanager
def edited(
    tree: ast.Module, file: str, edit: Edit, functions: Sequence[FunctionType]
) -> Iterator[bool]:
    """Let the functions and the names of a file be as an edit makes them; yield whether they are.

    Functions keep their identity, so whatever wraps them is the same; jit must be disabled, or
    what was compiled before is executed.
    """
    if isinstance(edit.holder, ast.arguments):
        with defaulting(edit, file, functions) as changed:
            yield changed
        return
    with edit.made():
        try:
            code = compile(tree, file, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            yield False
            return
        if not edit.scope and edit.statement is not None and functions:
            with _assigned(edit.statement, functions[0].__globals__, file) as changed:
                yield changed
            return
    codes = {(each.co_qualname, each.co_firstlineno): each for each in _codes(code)}
    before = [(each, each.__code__) for each in functions]
    changed = False
    try:
        for each, old in before:
            new = codes.get((old.co_qualname, old.co_firstlineno))
            if new is not None and new != old and new.co_freevars == old.co_freevars:
                each.__code__, changed = new, True
        yield changed
    finally:
        for each, old in before:
            each.__code__ = old


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


@contextmanager
def _assigned(statement: ast.stmt, names: dict[str, Any], file: str) -> Iterator[bool]:
    """Execute an assignment of a module anew, for a while."""
    if not isinstance(statement, ast.Assign):
        yield False
        return
    targets = [each.id for each in statement.targets if isinstance(each, ast.Name)]
    before = {name: names[name] for name in targets if name in names}
    try:
        with suppress(Exception):  # what an edit makes it raise is no answer
            exec(compile(ast.Module([statement], []), file, "exec"), names)  # noqa: S102
            yield True
            return
        yield False
    finally:
        names.update(before)
