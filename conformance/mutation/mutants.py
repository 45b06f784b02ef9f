"""All one-edit mutants of some definitions of a module, numbered in the order of the source."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.mutation.edit_scopes import Function, Scope, imported_names, self_attributes
from conformance.mutation.edits import edits

Path = tuple[tuple[str, int | None], ...]
"""How to walk from a definition to a node: field names, with an index where it is a list."""

_NOT_BEHAVIOUR = {"annotation", "returns", "decorator_list", "bases", "ctx", "type_params"}
_IN_CONSTANTS = {"constant", "counterpart", "operand dropped", "operand order", "operator"}
"""Kinds of edits that are made in what a constant of the module is computed from."""

_SHOWN = 16
"""An edit shorter than this is shown within the expression around it."""


@dataclass(frozen=True, eq=False)
class Mutant:
    """One edit of one definition.

    Attributes:
        identity: Its name.
        file: The module, as the caller names it.
        definition: The function, class or constant.
        line: The line of what is edited.
        kind: The kind of edit.
        before: What is edited, with as much around it as makes it understood.
        after: The same after the edit.
        statement: The line where the statement starts.
        top: The place of the definition in the module.
        path: The way from the definition to what is edited.
        replacement: What takes its place.
    """

    identity: str
    file: str
    definition: str
    line: int
    kind: str
    before: str
    after: str
    statement: int
    top: int
    path: Path
    replacement: ast.AST

    @property
    def edit(self) -> str:
        """The edit in words; with the id it decides whether a verdict still applies."""
        return f"{self.before} → {self.after}"

    @property
    def number(self) -> int:
        """Its place among the edits that were made together."""
        return int(self.identity.rpartition("-")[2])

    def applied(self, module: ast.Module) -> ast.Module:
        """Return a copy of the module with the edit made."""
        mutated = copy.deepcopy(module)
        put(mutated.body[self.top], self.path, copy.deepcopy(self.replacement))
        return ast.fix_missing_locations(mutated)


@dataclass(frozen=True)
class Place:
    """A node, the way to it, what is in scope there, and the line where its statement starts."""

    node: ast.AST
    path: Path
    scope: Scope
    statement: int


def mutants_of(
    source: str, definitions: tuple[str, ...], *, file: str, prefix: str, start: int = 1
) -> list[Mutant]:
    """Return every mutant of the named top-level definitions.

    Args:
        source: The source of the module.
        definitions: The names of functions, classes and constants.
        file: The module, as its mutants are to name it.
        prefix: What identities begin with.
        start: The number of the first one.
    """
    module = ast.parse(source)
    found: list[Mutant] = []
    for top, definition in enumerate(module.body):
        name = defined_name(definition)
        if name not in definitions:
            continue
        scope = Scope(imported=imported_names(module), attributes=self_attributes(definition))
        for place, kind, replacement, mutated in _distinct(definition, scope):
            view = around(definition, place.path)
            found.append(
                Mutant(
                    identity=f"{prefix}-{start + len(found):03d}",
                    file=file,
                    definition=name,
                    line=getattr(place.node, "lineno", place.statement),
                    kind=kind,
                    before=shown(definition, view),
                    after=shown(mutated, view),
                    statement=place.statement,
                    top=top,
                    path=place.path,
                    replacement=replacement,
                )
            )
    return found


def defined_name(node: ast.stmt) -> str:
    """Return the name that a statement defines; empty if it defines none, or several."""
    if isinstance(node, Function | ast.ClassDef):
        return node.name
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    target = targets[0] if len(targets) == 1 else None
    return target.id if isinstance(target, ast.Name) else ""


def _distinct(definition: ast.AST, scope: Scope) -> Iterator[tuple[Place, str, ast.AST, ast.AST]]:
    """Yield the edits whose program differs from the original and from every one before."""
    seen = {ast.dump(definition)}
    is_constant = not isinstance(definition, Function | ast.ClassDef)
    for place in places(definition, scope):
        for kind, replacement in edits(place.node, place.scope):
            if is_constant and (not place.path or kind not in _IN_CONSTANTS):
                continue
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
    if isinstance(node, ast.Raise):
        return  # which exception it is, no requirement says
    for field, value in ast.iter_fields(node):
        if field in _NOT_BEHAVIOUR:
            continue
        inner = scope.inside(node) if isinstance(node, Function) and field == "body" else scope
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if isinstance(child, ast.AST):
                yield from places(child, inner, (*path, (field, index)), statement)


def _is_text(node: ast.AST) -> bool:
    """Return whether a node is a text, which nothing but messages depends on."""
    if isinstance(node, ast.JoinedStr):
        return True
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
    assert index is not None  # noqa: S101  parameters are lists
    if field == "kw_defaults":
        return arguments.kwonlyargs[index].arg
    positional = [*arguments.posonlyargs, *arguments.args]
    return positional[len(positional) - len(arguments.defaults) + index].arg


def used_definitions(source: str, name: str) -> tuple[str, ...]:
    """Return a name and every function, class and constant of the module that it uses."""
    defined = {defined_name(node): node for node in ast.parse(source).body}
    defined.pop("", None)
    found: list[str] = []
    open_names = [name]
    while open_names:
        current = open_names.pop()
        if current in defined and current not in found:
            found.append(current)
            names = (n.id for n in ast.walk(defined[current]) if isinstance(n, ast.Name))
            open_names += sorted(set(names))
    return tuple(found)
