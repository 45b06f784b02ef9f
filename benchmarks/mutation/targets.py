"""What is mutated, and the implementations that a mutated module is judged as.

A mutant is a separate module object that no import can find: nothing is patched.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

from conformance.adapters.implementation import Implementation
from conformance.mutation.mutants import Mutant, mutants_of, used_definitions
from mutation.probes import probed

FLAX = "flax.nnx.nn.normalization"
LAYER, FORWARD = "impl.batchnorm", "impl.forward"


@dataclass(frozen=True)
class Target:
    """The modules that are mutated together, and how to judge them."""

    name: str
    modules: tuple[str, ...]
    entries: dict[str, Callable[[Mutant | None], Implementation]]

    def mutants(self) -> list[Mutant]:
        """Return every mutant of the target."""
        found: list[Mutant] = []
        for module in self.modules:
            text = source(module)
            names = used_definitions(text, "BatchNorm") if module == FLAX else _defined(text)
            found += mutants_of(text, names, file=module, prefix=self.name, start=len(found) + 1)
        return found


def _defined(text: str) -> tuple[str, ...]:
    named = ast.FunctionDef | ast.ClassDef
    return tuple(node.name for node in ast.parse(text).body if isinstance(node, named))


@cache
def source(module: str) -> str:
    """Return the source of an importable module."""
    spec = importlib.util.find_spec(module)
    assert spec is not None, module
    assert spec.origin is not None, module
    return Path(spec.origin).read_text("utf-8")


def executed(module: str, mutant: Mutant | None = None) -> ModuleType:
    """Return a new module object from the source, mutated if the mutant is one of it."""
    tree = ast.parse(source(module))
    if mutant is not None and mutant.file == module:
        tree = mutant.applied(tree)
    made = ModuleType(module)
    made.__package__ = module.rpartition(".")[0]
    tree, names = probed(tree, module)
    vars(made).update(names)
    exec(compile(tree, f"<{module}, made for judging>", "exec", dont_inherit=True), vars(made))
    return made


def _reference(mutant: Mutant | None) -> Implementation:
    layer = executed(LAYER, mutant).MyBatchNorm
    forward = executed(FORWARD, mutant)
    vars(forward)["MyBatchNorm"] = layer
    return Implementation.nnx(layer, name="impl", forward=forward.batchnorm_forward)


def _two_pass(mutant: Mutant | None) -> Implementation:
    return _on_rows(_flax_batchnorm(mutant).two_pass())


def _one_pass(mutant: Mutant | None) -> Implementation:
    return _on_rows(_flax_batchnorm(mutant).one_pass())


def _on_rows(made: Implementation) -> Implementation:
    """Return the implementation without its extended domain, in which flax itself violates some."""
    return replace(made, wider=None)


def _flax_batchnorm(mutant: Mutant | None) -> ModuleType:
    """Return ``impl.flax_batchnorm`` over the mutated class."""
    module = executed("impl.flax_batchnorm")
    vars(module)["nnx"] = SimpleNamespace(BatchNorm=executed(FLAX, mutant).BatchNorm)
    return module


TARGETS = {
    "reference": Target("reference", (LAYER, FORWARD), {"impl": _reference}),
    "flax": Target("flax", (FLAX,), {"flax": _two_pass, "flax-default": _one_pass}),
}
