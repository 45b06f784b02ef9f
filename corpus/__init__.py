"""Layers outside the suite as galleries: held-out ones, and ones as people publish them.

``blind`` has the faulty held-out layers, ``blind-correct`` the correct ones. README.md says where
they come from. A layer is named by its set, module and class, such as
``first.affine.AffineBakedAtInit``; ``verdicts.json`` says how it is judged.

``real`` has the faulty layers of the folder of that name, ``real-correct`` those that conform as
they are. A layer is named by its file; ``real/verdicts.toml`` says how it is judged.
"""

from __future__ import annotations

import importlib
import json
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flax import nnx

from conformance import Implementation
from conformance.adapters.resolve import resolve

_HERE = Path(__file__).parent
VERDICTS = json.loads((_HERE / "verdicts.json").read_text(encoding="utf-8"))
REAL_VERDICTS: dict[str, dict[str, Any]] = tomllib.loads(
    (_HERE / "real" / "verdicts.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class HeldOutFault:
    """A faulty layer and what it violates, in the form that ``conformance faults`` reads."""

    breaks: tuple[str, ...]
    sentence: str
    module: str
    family: str
    implementation: Implementation
    source: str = ""


def layers(folder: str) -> dict[str, type[nnx.Module]]:
    """Return every layer that is "faulty" or "correct", by name."""
    found = {}
    for path in sorted(_HERE.glob(f"*/{folder}/*.py")):
        group = path.parts[-3]
        module = importlib.import_module(f"{__name__}.{group}.{folder}.{path.stem}")
        for name, kind in vars(module).items():
            own = isinstance(kind, type) and kind.__module__ == module.__name__
            if own and issubclass(kind, nnx.Module) and not name.startswith("_"):
                found[f"{group}.{path.stem}.{name}"] = kind
    return found


def implementation_of(name: str, kind: type[nnx.Module]) -> Implementation:
    """Return the layer as an implementation with what its class declares."""
    return Implementation.nnx(kind, name=name, **getattr(kind, "declares", {}))


def _fault(name: str, kind: type[nnx.Module]) -> HeldOutFault:
    return HeldOutFault(
        breaks=tuple(VERDICTS["faulty"][name]),
        sentence=(kind.__doc__ or "").strip().split("\n\n")[0],
        module=kind.__module__,
        family=name.rpartition(".")[0],
        implementation=implementation_of(name, kind),
    )


FAULTY = {n: _fault(n, kind) for n, kind in layers("faulty").items() if n in VERDICTS["faulty"]}
CORRECT = {n: implementation_of(n, kind) for n, kind in layers("correct").items()}


class RealFault:
    """A faulty layer as published, in the form that ``conformance faults`` reads."""

    def __init__(self, name: str, entry: dict[str, Any]) -> None:
        self.name = f"{_HERE / 'real' / name}.py:{entry['entry']}"
        self.breaks = tuple(entry["violates"])
        self.sentence = entry["mistake"]
        self.module = f"{__name__}.real.{name}"
        self.family = "real"
        self.source = entry["seen"]

    @cached_property
    def implementation(self) -> Implementation:
        """What the layer is recognized as."""
        return resolve(self.name)


def real_layer(name: str) -> Any:
    """Return the class or function of a file of the folder ``real``."""
    module = importlib.import_module(f"{__name__}.real.{name}")
    return getattr(module, REAL_VERDICTS[name]["entry"])


REAL_FAULTY = {n: RealFault(n, e) for n, e in REAL_VERDICTS.items() if e["verdict"] == "violates"}
REAL_CORRECT = {n: real_layer(n) for n, e in REAL_VERDICTS.items() if e["verdict"] == "conforms"}
