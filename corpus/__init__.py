"""Held-out layers as galleries: ``blind`` has the faulty ones, ``blind-correct`` the correct ones.

README.md says where they come from. A layer is named by its set, module and class, such as
``first.affine.AffineBakedAtInit``; ``verdicts.json`` says how it is judged.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path

from flax import nnx

from conformance import Implementation

_HERE = Path(__file__).parent
VERDICTS = json.loads((_HERE / "verdicts.json").read_text(encoding="utf-8"))


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
