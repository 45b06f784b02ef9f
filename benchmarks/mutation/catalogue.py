"""All mutants of some definitions of a module: deterministic, numbered in source order."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mutation.edits import edits
from mutation.scopes import Function, Scope, imported_names, self_attributes

Path = tuple[tuple[str, int | None], ...]
"""How to walk from a definition to a node: field names, with an index where it is a list."""

_NOT_BEHAVIOUR = {"annotation", "returns", "decorator_list", "bases", "ctx", "type_params"}
_SHOWN = 16
"""An edit shorter than this is shown within the expression around it."""


@dataclass(frozen=True, eq=False)
class Mutant:
    """One edit of one definition; ``statement`` is the line where its statement starts."""

    identity: str
    file: str
    definition: str
    line: int
    kind: str
    before: str
    after: str
    statement: int
    path: Path
    replacement: ast.AST

    @property
    def edit(self) -> str:
        """The edit in words; with the id it decides whether a verdict still applies."""
        return f"{self.before} → {self.after}"

    def applied(self, module: ast.Module) -> ast.Module:
        """Return a copy of the module with the edit made."""
        mutated = copy.deepcopy(module)
        for node in mutated.body:
            if getattr(node, "name", None) == self.definition:
                put(node, self.path, copy.deepcopy(self.replacement))
        return ast.fix_missing_locations(mutated)


@dataclass(frozen=True)
class Place:
    """A node, how to reach it, what is in scope there, and where its statement starts."""

    node: ast.AST
    path: Path
    scope: Scope
    statement: int


def mutants_of(
    source: str, definitions: tuple[str, ...], *, file: str, prefix: str, start: int = 1
) -> list[Mutant]:
    """Return every mutant of the named top-level definitions, ids from ``prefix-start`` on."""
    module = ast.parse(source)
    found: list[Mutant] = []
    for definition in module.body:
        if getattr(definition, "name", None) in definitions:
            scope = Scope(imported=imported_names(module), attributes=self_attributes(definition))
            for place, kind, replacement, mutated in _distinct(definition, scope):
                view = around(definition, place.path)
                found.append(
                    Mutant(
                        identity=f"{prefix}-{start + len(found):03d}",
                        file=file,
                        definition=definition.name,  # type: ignore[attr-defined]
                        line=getattr(place.node, "lineno", place.statement),
                        kind=kind,
                        before=shown(definition, view),
                        after=shown(mutated, view),
                        statement=place.statement,
                        path=place.path,
                        replacement=replacement,
                    )
                )
    return found


def _distinct(definition: ast.AST, scope: Scope) -> Iterator[tuple[Place, str, ast.AST, ast.AST]]:
    """Yield the edits whose program differs from the original and from every one before."""
    seen = {ast.dump(definition)}
    for place in places(definition, scope):
        for kind, replacement in edits(place.node, place.scope):
            mutated = copy.deepcopy(definition)
            put(mutated, place.path, replacement)
            ast.fix_missing_locations(mutated)
            dump = ast.dump(mutated)
            if dump not in seen:
                seen.add(dump)
                yield place, kind, replacement, mutated


def places(node: ast.AST, scope: Scope, path: Path = (), statement: int = 0) -> Iterator[Place]:
    """Yield every node that is behaviour: no docstring, no annotation."""
    if isinstance(node, ast.stmt):
        statement = node.lineno
    if _is_text(node) or (isinstance(node, ast.AnnAssign) and node.value is None):
        return
    yield Place(node, path, scope, statement)
    for field, value in ast.iter_fields(node):
        if field in _NOT_BEHAVIOUR:
            continue
        inner = scope.inside(node) if isinstance(node, Function) and field == "body" else scope
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if isinstance(child, ast.AST):
                yield from places(child, inner, (*path, (field, index)), statement)


def _is_text(node: ast.AST) -> bool:
    constant = node.value if isinstance(node, ast.Expr) else node
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def reached(node: ast.AST, path: Path) -> Any:
    """Return the node at the end of the path."""
    for field, index in path:
        value = getattr(node, field)
        node = value if index is None else value[index]
    return node


def put(root: ast.AST, path: Path, replacement: ast.AST) -> None:
    """Replace the node at the end of the path, in place."""
    parent = reached(root, path[:-1])
    field, index = path[-1]
    if index is None:
        setattr(parent, field, replacement)
    else:
        getattr(parent, field)[index] = replacement


def around(root: ast.AST, path: Path) -> Path:
    """Return the path of the node with as much around it as makes it understood."""
    while True:
        node, parent = reached(root, path), reached(root, path[:-1])
        if isinstance(node, ast.stmt) or isinstance(parent, ast.arguments):
            return path
        long = len(ast.unparse(node)) >= _SHOWN and not isinstance(parent, ast.keyword)
        if long:
            return path
        path = path[:-1]


def shown(root: ast.AST, path: Path) -> str:
    """Return the node as source on one line; of a compound statement the first."""
    node, parent = reached(root, path), reached(root, path[:-1])
    text = ast.unparse(node).splitlines()[0].removesuffix(":")
    if isinstance(node, ast.stmt):
        return text
    if isinstance(parent, ast.arguments):
        return f"{_parameter(parent, path[-1])}={text}"
    if isinstance(parent, ast.If):
        return f"if {text}"
    return f"return {text}" if isinstance(parent, ast.Return) else text


def _parameter(arguments: ast.arguments, step: tuple[str, int | None]) -> str:
    field, index = step
    assert index is not None
    if field == "kw_defaults":
        return arguments.kwonlyargs[index].arg
    positional = [*arguments.posonlyargs, *arguments.args]
    return positional[len(positional) - len(arguments.defaults) + index].arg


def used_definitions(source: str, name: str) -> tuple[str, ...]:
    """Return the name and every function of the module that it uses, directly or not."""
    defined = {
        node.name: node
        for node in ast.parse(source).body
        if isinstance(node, Function | ast.ClassDef)
    }
    found: list[str] = []
    open_names = [name]
    while open_names:
        current = open_names.pop()
        if current in defined and current not in found:
            found.append(current)
            names = (n.id for n in ast.walk(defined[current]) if isinstance(n, ast.Name))
            open_names += sorted(set(names))
    return tuple(found)
