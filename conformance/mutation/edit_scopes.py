"""Which names and attributes an edit may exchange: those that stand next to each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Scope:
    """The names bound in each enclosing function, innermost first, and the attributes of self.

    A name comes with the line that binds it, 0 for a parameter. Both are in the order in
    which they are first bound, so that neighbours are related: ``mean`` and ``var``,
    ``scale`` and ``bias``.
    """

    names: tuple[dict[str, int], ...] = ()
    attributes: tuple[str, ...] = ()
    imported: frozenset[str] = frozenset()

    def inside(self, function: Function) -> Scope:
        """Return the scope of the body of a function."""
        return Scope((bound_names(function), *self.names), self.attributes, self.imported)

    def other_names(self, name: str, line: int) -> tuple[str, ...]:
        """Return the neighbours of a local name that are bound above the line."""
        for names in self.names:
            if name in names:
                bound = (other for other, at in names.items() if at < line or other == name)
                return neighbours(tuple(bound), name)
        return ()

    def other_attributes(self, name: str) -> tuple[str, ...]:
        """Return the neighbours of an attribute of self."""
        return neighbours(self.attributes, name)


def neighbours(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return what stands before and after the name."""
    if name not in names:
        return ()
    at = names.index(name)
    return (*names[max(at - 1, 0) : at], *names[at + 1 : at + 2])


def bound_names(function: Function) -> dict[str, int]:
    """Return the line from which each name is bound: parameters, then local variables."""
    arguments = function.args
    parameters = [
        *arguments.posonlyargs,
        *arguments.args,
        *filter(None, [arguments.vararg]),
        *arguments.kwonlyargs,
    ]
    names = {parameter.arg: 0 for parameter in parameters if parameter.arg != "self"}
    for node in _own_nodes(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.setdefault(node.id, node.lineno)
    return names


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk in the order of the source, not into nested functions or comprehensions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.Lambda | ast.GeneratorExp | ast.ListComp):
            continue
        yield child
        yield from _own_nodes(child)


def self_attributes(definition: ast.AST) -> tuple[str, ...]:
    """Return the attributes that a class assigns on self."""
    targets = (
        (node.lineno, node.col_offset, node.attr)
        for node in ast.walk(definition)
        if is_self_attribute(node) and isinstance(node.ctx, ast.Store)
    )
    return tuple(dict.fromkeys(name for _, _, name in sorted(targets)))


def is_self_attribute(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """Return whether the node reads or writes ``self.<name>``."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def imported_names(module: ast.Module) -> frozenset[str]:
    """Return the names that the module's import statements bind."""
    return frozenset(
        (alias.asname or alias.name).split(".")[0]
        for node in module.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )
