"""How a script imports and builds the layer."""

from __future__ import annotations

import ast
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.adapters.construction import Construction
from conformance.adapters.errors import printable
from conformance.adapters.implementation import Implementation
from conformance.adapters.resolve import FILE_MODULE_PREFIX
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
        layer: Where to import the class of the layer.
        forward: Where to import the forward function.
        keywords: The layer's names of constructor arguments, by those of the suite.
        attributes: The layer's names of attributes, by those of the suite.
        arguments: Further arguments of its constructor, as source text.
        wider: The declared arguments of the extended domain.
        deviations: The names of the declared deviations.
        obstacle: Why a script cannot build the layer; empty if it can.
    """

    layer: Place | None = None
    forward: Place | None = None
    keywords: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    wider: dict[str, Any] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()
    obstacle: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the blueprint as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Blueprint:
        """Return the blueprint that ``to_json`` wrote."""
        places = {name: data[name] and Place(**data[name]) for name in ("layer", "forward")}
        return cls(**{**data, **places, "deviations": tuple(data["deviations"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueprintRequest(Request):
    """Asks a worker how its implementation is constructed."""

    handler: ClassVar[str] = f"{__name__}:handle"


def handle(subject: Subject) -> dict[str, Any]:
    """Return the blueprint as JSON values."""
    return blueprint_of(subject.imported).to_json()


def blueprint_of(implementation: Implementation) -> Blueprint:
    """Return what a script must know about an implementation."""
    made = implementation.construction
    layer, obstacle = _layer(implementation, made)
    forward = (
        None
        if implementation.forward is None
        else _place(implementation.forward, implementation.name)
    )
    known = made or Construction(module=Construction)
    wider = implementation.wider
    declared: dict[str, Any] = {}
    if wider is not None:
        declared = {name: getattr(wider, name) for name in _ARGUMENTS}
        declared["precisions"] = [asdict(each) for each in wider.precisions]
    return Blueprint(
        layer=layer,
        forward=forward,
        keywords=dict(known.keywords),
        attributes=dict(known.attributes),
        arguments={name: repr(value) for name, value in known.arguments.items()},
        wider=declared,
        deviations=tuple(sorted(each.name for each in implementation.deviations)),
        obstacle=obstacle,
    )


_ARGUMENTS = ("ndim", "axis", "mask", "mask_by_row", "dtype", "axis_name")


def _layer(implementation: Implementation, made: Construction | None) -> tuple[Place | None, str]:
    """Return where the layer's class is, or why a script cannot build it."""
    name = printable(implementation.name)
    if made is None:
        return None, f"{name} is driven by an adapter of the suite, which no script has"
    place = _place(made.module, implementation.name)
    if place is None:
        return None, f"the class of {name} cannot be imported by a name"
    opaque = [argument for argument, value in made.arguments.items() if not _has_literal(value)]
    if opaque:
        return None, f"its constructor's argument {opaque[0]!r} has no literal form"
    return place, ""


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


def _has_literal(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False
