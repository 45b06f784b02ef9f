"""Copies functions and classes of the suite, and what they use, into one text."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_SUITE = "conformance"

_SHORTER = {
    ("conformance.adapters.rngs", "construct"): (
        "def construct(module, seed, arguments, name):\n"
        "    streams = {name: nnx.Rngs(seed)} if name else {}\n"
        "    return module(**arguments, **streams)"
    ),
    ("conformance.adapters.device_put", "put_on_device"): (
        "def put_on_device(*values):\n    return tuple(map(jnp.asarray, values))"
    ),
}
"""What takes the place of definitions that do the same faster."""

_DROPPED = {"formula", "runtime_checkable"}
"""Decorators without which a definition does the same to plain values."""

Place = tuple[str, str]
"""A module and a name in it."""


@dataclass(slots=True)
class Bundle:
    """Copied definitions.

    Attributes:
        imports: Statements, of which the definitions need all.
        pieces: The definitions, each after those that it uses.
        names: Their names in the text.
    """

    imports: dict[str, None] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    names: dict[Place, str] = field(default_factory=dict)

    def add(self, module: str, name: str) -> str:
        """Copy a definition and what it uses; return its name in the text."""
        place = _origin(module, name)
        if place in self.names:
            return self.names[place]
        taken = set(self.names.values())
        chosen = name = place[1]
        if chosen in taken:
            chosen = f"{name}_of_{place[0].rpartition('.')[2]}"
        self.names[place] = chosen
        self._write(*place, chosen)
        return chosen

    def add_import(self, statement: str, local: str) -> str:
        """Add a statement that imports something under a name; return the name in the text."""
        place = (statement, local)
        if place not in self.names:
            taken = local in self.names.values()
            self.names[place] = chosen = f"{local}_" if taken else local
            self.imports[statement + (f" as {chosen}" if taken else "")] = None
        return self.names[place]

    def _write(self, module: str, name: str, chosen: str) -> None:
        found = _module(module)
        text = _SHORTER.get((module, name))
        definition = found.definitions[name] if text is None else ast.parse(text).body[0]
        node: Any = _Bare().visit(ast.parse(ast.unparse(definition)).body[0])
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            node = ast.Assign([node.target], node.value)
        _Renamed(self, found, {name: chosen} if chosen != name else {}).visit(node)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.name = chosen
        self.pieces.append(ast.unparse(ast.fix_missing_locations(node)))


def takes_implementation(module: str, name: str) -> bool:
    """Return whether the first parameter of a function is the implementation."""
    node = _module(module).definitions[name]
    assert isinstance(node, ast.FunctionDef)  # noqa: S101
    return bool(node.args.args) and node.args.args[0].arg == "implementation"


@dataclass(frozen=True, slots=True)
class _Module:
    """The definitions of a module, and its imports by local name."""

    name: str
    definitions: dict[str, ast.stmt]
    of_suite: dict[str, Place]
    others: dict[str, str]


@cache
def _module(name: str) -> _Module:
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None, "a module of the suite"  # noqa: S101, PT018
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))  # it may import a framework
    found = _Module(name, {}, {}, {})
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in ast.walk(ast.Tuple(list(targets), ast.Load())):
                if isinstance(target, ast.Name):
                    found.definitions[target.id] = node
    for each in ast.walk(tree):  # imports in functions too
        if isinstance(each, ast.ImportFrom):
            for alias in each.names:
                local = alias.asname or alias.name
                if (each.module or "").partition(".")[0] == _SUITE:
                    found.of_suite[local] = (each.module or "", alias.name)
                else:
                    found.others[local] = f"from {each.module} import {_spelled(alias)}"
        elif isinstance(each, ast.Import):
            for alias in each.names:
                local = alias.asname or alias.name.partition(".")[0]
                found.others[local] = f"import {_spelled(alias)}"
    return found


def _spelled(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _origin(module: str, name: str) -> Place:
    """Return where a name that a module may have imported is defined."""
    found = _module(module)
    while name not in found.definitions and name in found.of_suite:
        module, name = found.of_suite[name]
        found = _module(module)
    return module, name


class _Bare(ast.NodeTransformer):
    """Removes what a script does not need: annotations, assertions, imports, long docstrings."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        for each in ast.walk(node.args):
            if isinstance(each, ast.arg):
                each.annotation = None
        node.decorator_list = [
            each for each in node.decorator_list if getattr(each, "id", "") not in _DROPPED
        ]
        self.generic_visit(node)
        _shorten(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        self.generic_visit(node)
        for each in node.body:
            if isinstance(each, ast.AnnAssign):
                each.annotation = ast.Name("object", ast.Load())
        node.body = [each for each in node.body if not _is_docstring(each)] or [ast.Pass()]
        return node

    def visit_Assert(self, _: ast.Assert) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        return None if (node.module or "").partition(".")[0] == _SUITE else node

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        function = getattr(node.func, "id", "")
        if function == "cast":
            return node.args[1]
        return node.args[0] if function == "Live" else node


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _shorten(node: ast.FunctionDef) -> None:
    """Leave the first line of a docstring."""
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        first.value = ast.Constant(str(first.value.value).strip().splitlines()[0])


class _Renamed(ast.NodeTransformer):
    """Adds what a definition uses to a bundle, and calls it by its name there."""

    def __init__(self, bundle: Bundle, module: _Module, names: dict[str, str]) -> None:
        self._bundle, self._module, self._names = bundle, module, names
        self._local: list[set[str]] = []

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        node.annotation = ast.Name("object", ast.Load())
        node.target = self.visit(node.target)
        node.value = None if node.value is None else self.visit(node.value)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        return self._in_scope(node)

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        return self._in_scope(node)

    def _in_scope(self, node: Any) -> Any:
        self._local.append(_bound_in(node))
        fields = [node.args, *(node.body if isinstance(node.body, list) else [node.body])]
        for each in fields:
            self.visit(each)
        self._local.pop()
        return node

    def visit_Name(self, node: ast.Name) -> Any:
        if any(node.id in names for names in self._local):
            return node
        if node.id in self._names:
            node.id = self._names[node.id]
        elif node.id in self._module.definitions or node.id in self._module.of_suite:
            node.id = self._bundle.add(self._module.name, node.id)
        elif node.id in self._module.others:
            node.id = self._bundle.add_import(self._module.others[node.id], node.id)
        return node


def _bound_in(node: ast.AST) -> set[str]:
    """Return the names that a function binds."""
    bound = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            bound.add(each.id)
        elif isinstance(each, ast.FunctionDef | ast.ClassDef) and each is not node:
            bound.add(each.name)
        elif isinstance(each, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name for alias in each.names}
    return bound


def copy_of(places: Iterable[Place]) -> Bundle:
    """Return a bundle with these definitions."""
    bundle = Bundle()
    for module, name in places:
        bundle.add(module, name)
    return bundle
