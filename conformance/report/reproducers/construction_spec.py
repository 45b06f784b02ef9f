"""How a script imports and builds the implementation."""

from __future__ import annotations

import ast
import sys
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.adapters.array_parts import split_part
from conformance.adapters.calling import DEFAULT
from conformance.adapters.construction import Construction
from conformance.adapters.driven import Driven
from conformance.adapters.gallery import find_galleries
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import ARRAYS, COMMAND, Config
from conformance.adapters.resolve import FILE_MODULE_PREFIX, find_registered
from conformance.engine.sandbox.messages import Request

if TYPE_CHECKING:
    from conformance.properties.support.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to import something: ``from module import name``; ``file`` if the module is a file."""

    module: str
    name: str
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What a script must know about an implementation; JSON values, which cross process borders.

    Attributes:
        layer: Where to import the class of the layer; None if a script cannot.
        forward: Where to import the forward function; None if a script cannot.
        whole: Where to import an object that the suite resolves to the implementation.
        member: The name of the implementation in that object, if it is a gallery.
        keywords: The layer's names of constructor arguments, by those of the suite.
        attributes: The layer's names of attributes, by those of the suite.
        calling: How it is called, if not as ``DEFAULT``: the fields of ``Calling``.
        unusual: Those of the suite's names whose arrays are not (D,).
        extra: Its attributes with further state.
        usual: It is constructed, called, read and written as a user would, without an adapter.
        arguments: Further arguments of its constructor, as source text.
        driven: It is a class of a framework or a pure function, which the suite drives.
        configured: Its constructor takes a configuration object, which the suite makes.
        options: The layer's names of the optional arguments, by those of ``Options``.
        mask: The layer's name of a mask.
        adapter: The module of the suite that drives the layer; empty for others.
        adapter_arguments: Arguments of its ``build``, as source text.
    """

    layer: Place | None = None
    forward: Place | None = None
    whole: Place | None = None
    member: str = ""
    keywords: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    calling: dict[str, Any] = field(default_factory=dict)
    unusual: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    usual: bool = True
    arguments: dict[str, str] = field(default_factory=dict)
    driven: bool = False
    configured: bool = False
    options: dict[str, str] = field(default_factory=dict)
    mask: str = ""
    adapter: str = ""
    adapter_arguments: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the blueprint as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Blueprint:
        """Return the blueprint that ``to_json`` wrote."""
        places = ("layer", "forward", "whole")
        return cls(**{**data, **{name: data[name] and Place(**data[name]) for name in places}})


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueprintRequest(Request):
    """Asks a worker how its implementation is constructed."""

    handler: ClassVar[str] = f"{__name__}:handle"


def handle(subject: Subject) -> dict[str, Any]:
    """Return the blueprint as JSON values."""
    return blueprint_of(subject.imported).to_json()


def blueprint_of(implementation: Implementation) -> Blueprint:
    """Return what a script must know about an implementation."""
    typed, build = implementation.name, implementation.build
    forward = implementation.forward and _place(implementation.forward, typed)
    known: dict[str, Any] = {"forward": forward, **_whole(typed)}
    if isinstance(build, partial) and build.func.__module__ == _PEERS:
        adapter, arguments = build.args
        known |= {"adapter": f"conformance.adapters.{adapter}"}
        known |= {"adapter_arguments": {name: repr(value) for name, value in arguments.items()}}
    elif (made := implementation.construction) is not None:
        configured = any("." in name for name in (*made.keywords.values(), *made.arguments))
        literal = not configured and all(map(_has_literal, made.arguments.values()))
        known |= {"configured": configured}
        known |= {"layer": _place(made.module, typed) if literal else None}
        known |= {"keywords": dict(made.keywords), "attributes": dict(made.attributes)}
        known |= {"arguments": {name: repr(value) for name, value in made.arguments.items()}}
        known |= {"calling": asdict(made.calling) if made.calling != DEFAULT else {}}
        complete = set(ARRAYS) <= made.attributes.keys()
        whole = not any(split_part(own)[1] for own in made.attributes.values())
        known |= {"extra": list(made.extra), "usual": complete and whole}
        known |= {"unusual": _unusual(made)}
    known |= {"driven": isinstance(build, Driven)}
    if (wider := implementation.wider) is not None:
        named = {name: getattr(wider, name) for name in ("axis", "dtype", "axis_name")}
        known |= {"options": {ours: own for ours, own in named.items() if own}}
        known |= {"mask": wider.mask}
    return Blueprint(**known)


_PEERS = "conformance.adapters.peers"


def _whole(typed: str) -> dict[str, Any]:
    """Return where the object with a typed name can be imported."""
    if typed.startswith(COMMAND):
        return {}  # a program in any language
    place, _, name = typed.rpartition(":")
    registered: dict[str, EntryPoint] = find_registered() if not place else {}
    if name in registered:
        point = registered[name]
        return {"whole": Place(module=point.module, name=point.attr)}
    if place in (galleries := find_galleries()):
        point = galleries[place]
        return {"whole": Place(module=point.module, name=point.attr), "member": name}
    if place.endswith(".py"):
        path = Path(place).expanduser().resolve()
        return {"whole": Place(module=path.stem, name=name, file=str(path))}
    return {"whole": Place(module=place, name=name)} if place else {}


def _place(found: Any, typed: str) -> Place | None:
    """Return where an object can be imported from: by the typed name, or by its ``__name__``."""
    where, _, name = typed.rpartition(":")
    own = getattr(found, "__module__", ""), getattr(found, "__qualname__", "")
    for module, attribute in ((_module_of(where), name), own):
        there: Any = sys.modules.get(module)
        file = getattr(there, "__file__", None) or ""
        for part in attribute.split("."):
            there = getattr(there, part, None)
        if there is found:
            from_file = module.startswith(FILE_MODULE_PREFIX)
            stem = module.removeprefix(FILE_MODULE_PREFIX)
            return Place(module=stem, name=attribute, file=file if from_file else "")
    return None


def _module_of(place: str) -> str:
    """Return the name under which a module or a file was imported."""
    return f"{FILE_MODULE_PREFIX}{Path(place).stem}" if place.endswith(".py") else place


def _unusual(made: Construction) -> list[str]:
    """Return the names of arrays that are not (D,) in a layer; none if it cannot be built."""
    try:
        layer: Any = made.build(Config(features=3))
    except Exception:  # noqa: BLE001  the script shows it
        return []
    return list(layer.access.unusual)


def _has_literal(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False
