"""The module of the layer that is judged, and changed copies of it that take its place.

Works in a process that is lost with all it has imported.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import linecache
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from conformance.adapters.errors import AdapterError, wrap_errors
from conformance.adapters.implementation import Implementation
from conformance.adapters.mining import unwrap
from conformance.adapters.recognition import recognize
from conformance.adapters.recognition.callables import takes_nothing
from conformance.adapters.resolve import find_registered, load
from conformance.mutation.mutants import defined_name, used_definitions

_MOST_SIBLINGS = 500
"""Files beside the module to which its copies have links."""


@dataclass(frozen=True)
class LayerSource:
    """The module that defines a layer.

    Attributes:
        name: What the user typed.
        module: The module.
        file: Its file.
        text: Its source.
        definitions: The class or function, and what it uses of the module.
        attributes: The way from a copy to the layer; empty if the name is to be resolved anew,
            because it stands for an adapter of another module.
        folder: Where copies are written.
    """

    name: str
    module: ModuleType
    file: Path
    text: str
    definitions: tuple[str, ...]
    attributes: tuple[str, ...]
    folder: Path

    def implementation(
        self,
        text: str,
        tree: ast.Module | None = None,
        names: Mapping[str, Callable[[int], None]] | None = None,
    ) -> Implementation:
        """Return the layer of a copy, recognized as if it were that of the user's file.

        Args:
            text: The source of the copy.
            tree: What is executed, if not the source.
            names: Names that it needs.

        Raises:
            AdapterError: It cannot be imported or understood.
        """
        copy = self._execute(text, tree, names or {})
        found: Any = copy
        for attribute in self.attributes:
            with wrap_errors(f"attribute {attribute!r}", "cannot be read"):
                found = getattr(found, attribute)
        if not self.attributes:
            found = _load_again(self.name)
        made = replace(recognize(self.name, found), name=self.name)
        if vars(copy).get(self.definitions[0]) is None:
            raise AdapterError(f"{self.definitions[0]} is not defined any more.")
        return made

    def _execute(
        self, text: str, tree: ast.Module | None, names: Mapping[str, Callable[[int], None]]
    ) -> ModuleType:
        """Return a copy of the module, which takes its place among the imported ones."""
        path = self.folder / self.file.name
        path.write_text(text, encoding="utf-8")
        linecache.cache.pop(str(path), None)
        name = self.module.__name__
        spec = importlib.util.spec_from_file_location(
            name, path, submodule_search_locations=getattr(self.module, "__path__", None)
        )
        assert spec is not None, "a .py file"  # noqa: S101
        copy = importlib.util.module_from_spec(spec)
        vars(copy).update(names)
        sys.modules[name] = copy
        package, _, leaf = name.rpartition(".")
        if package in sys.modules:
            setattr(sys.modules[package], leaf, copy)
        with wrap_errors(f"file {self.file.name!r}"):
            code = compile(text if tree is None else tree, str(path), "exec", dont_inherit=True)
            exec(code, vars(copy))  # noqa: S102  the user's own module
        return copy


def find_source(name: str, implementation: Implementation, folder: Path) -> LayerSource:
    """Return the module that defines a layer.

    Args:
        name: What the user typed.
        implementation: What it was resolved to.
        folder: An empty folder, for copies of the module.

    Raises:
        AdapterError: There is no such module, or its source cannot be read.
    """
    found = load(name)
    is_adapter = isinstance(found, Implementation) or _returns_adapter(found)
    judged = _layer_of(implementation) if is_adapter else unwrap(found)
    module = sys.modules.get(str(getattr(judged, "__module__", "")))
    file = Path(str(getattr(module, "__file__", None) or ""))
    if module is None or file.suffix != ".py" or module.__name__.startswith("conformance."):
        msg = f"{name}: the source of its layer cannot be found. Name the class or function itself"
        raise AdapterError(f"{msg}, as path/to/file.py:attribute or module:attribute.")
    text = file.read_text(encoding="utf-8")
    _link_siblings(file, folder)
    own, typed = judged.__qualname__.split("."), name.rpartition(":")[2].split(".")
    named_in_module = name.endswith(f".py:{'.'.join(typed)}") or f"{module.__name__}:" in name
    return LayerSource(
        name=name,
        module=module,
        file=file,
        text=text,
        definitions=_definitions(text, own[0]),
        attributes=() if is_adapter else tuple(typed if named_in_module else own),
        folder=folder,
    )


def _returns_adapter(found: Any) -> bool:
    """Return whether an object is a function without arguments that returns an adapter."""
    if isinstance(unwrap(found), type) or not callable(found):
        return False
    return takes_nothing(inspect.signature(found)) and isinstance(found(), Implementation)


def _layer_of(implementation: Implementation) -> Any:
    """Return the class or function that an adapter is for."""
    if implementation.construction is not None:
        return unwrap(implementation.construction.module)
    return unwrap(implementation.build or implementation.forward)


def _definitions(text: str, name: str) -> tuple[str, ...]:
    """Return the layer and what it uses of its module; everything, if it has no name there."""
    defined = [defined_name(node) for node in ast.parse(text).body]
    return used_definitions(text, name) if name in defined else tuple(filter(None, defined))


def _link_siblings(file: Path, folder: Path) -> None:
    """Make links to what is beside a file, for code that reads it."""
    for place in sorted(file.parent.iterdir())[:_MOST_SIBLINGS]:
        if place.name not in {file.name, "__pycache__"}:
            (folder / place.name).symlink_to(place)


def _load_again(name: str) -> Any:
    """Return what a name stands for, its module executed again, with the imports of now."""
    if not name.rpartition(":")[0].endswith(".py"):  # a file is executed each time
        point = find_registered().get(name)
        place = (name if point is None else point.value).partition(":")[0]
        module = importlib.import_module(place)
        with wrap_errors(f"module {place!r}"):
            assert module.__spec__ is not None and module.__spec__.loader is not None  # noqa: S101, PT018
            module.__spec__.loader.exec_module(module)
    return load(name)
