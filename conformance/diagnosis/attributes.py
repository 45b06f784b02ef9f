"""What a generated case is like: the attributes by which wrong cases differ from right ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from conformance.numerics.state import State
from conformance.strategies.case import Case
from conformance.strategies.programs import CALLS, RUNS, Program

Attributes = dict[str, float | str]
"""By name: a number, or words that continue "where"."""

_WORDS: dict[str, dict[Any, str]] = {
    "evaluate": {False: "the call trains", True: "the call evaluates"},
    "on_devices": {False: "shards are lanes of vmap", True: "shards are on devices"},
    "eager": {False: "the gradient is compiled", True: "the gradient is not compiled"},
    "as_jax": {False: "x is a NumPy array", True: "x is a JAX array"},
    "dtype": {name: f"x is {name}" for name in ("bfloat16", "float16")},
    "alike": {
        "": "the mask has the axes of x",
        "positions": "the mask is of examples",
        "examples": "the mask is of positions",
    },
}
"""What the values of an argument mean."""

_NUMBERS = {
    "rows": "N",
    "features": "D",
    "momentum": "momentum",
    "eps": "ε",
    "shards": "the number of shards",
}
"""Numbers among the arguments, and what they are called."""

_COMMON = ("state", "finite", "momentum", "ε", "as_jax")
"""Attributes that are named if no other is."""


def attributes_of(drawn: Mapping[str, Any]) -> Attributes:
    """Return the attributes of a case; of several with one name the first counts.

    Args:
        drawn: The arguments of the property.
    """
    found: Attributes = {}
    for name, value in drawn.items():
        for attribute, of in _walk(name, value):
            found.setdefault(attribute, of)
    return dict(sorted(found.items(), key=lambda item: item[0] in _COMMON))


def _walk(name: str, value: Any) -> Iterator[tuple[str, float | str]]:
    if name in _WORDS:
        if value in _WORDS[name]:
            yield name, _WORDS[name][value]
    elif name in _NUMBERS:
        yield _NUMBERS[name], value
    elif name == "kept":
        yield name, "every row counts" if value.all() else "some row is left out"
    elif name == "around":
        yield "the number of axes", len(value) + 1
    elif isinstance(value, Case):
        yield from _of_batch(value)
    else:
        for part, of in _parts(name, value):
            yield from _walk(part, of)


def _parts(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    """Return the fields of a value by name, or the first of several values."""
    if isinstance(value, list):
        return [(name, each) for each in value[:1]]
    if is_dataclass(value) and not isinstance(value, State):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    return value._asdict().items() if hasattr(value, "_asdict") else ()


def _of_batch(case: Case) -> Iterator[tuple[str, float | str]]:
    x, config = case.x.astype(np.float64), case.config
    yield "state", "the layer is fresh" if case.state is None else "the state was written"
    yield "N", len(x)
    yield from _walk("config", config)
    with np.errstate(all="ignore"):
        finite = bool(np.isfinite(x).all())
        yield "finite", "x is finite" if finite else "x has NaN or ∞"
        if finite and x.size:
            variance = x.var(axis=0)
            yield "the smallest variance", float(variance.min())
            yield "the largest |x|", float(np.abs(x).max())
            yield "the largest |mean| ÷ deviation", float(_ratio(x.mean(axis=0), variance))
    yield from _walk("as_jax", case.as_jax)


def _ratio(mean: Any, variance: Any) -> Any:
    """Return the largest |μ|/√v; 0 where every feature is constant."""
    return np.max(np.where(variance > 0, np.abs(mean) / np.sqrt(variance), 0), initial=0)


def attributes_of_steps(program: Program) -> list[Attributes]:
    """Return the attributes of each step of a program: what has been done up to its end."""
    found, trained, evaluated, changes, mode = [], 0, 0, 0, ""
    common = attributes_of({"case": program.case})
    copied = written = False
    for step in program.steps:
        kinds = RUNS[step.kind] * (step.times // 2) if step.kind in RUNS else (step.kind,)
        for kind in kinds:
            trained, evaluated = trained + (kind == "train"), evaluated + (kind == "evaluate")
            changes += kind in CALLS and mode not in {"", kind}
            mode = kind if kind in CALLS else mode
        copied |= step.kind in {"clone", "split and merge"}
        written |= step.kind.startswith(("set", "reset"))
        found.append(
            common
            | {
                "copied": "the layer was copied" if copied else "the layer was not copied",
                "written": "arrays were replaced" if written else "no array was replaced",
                "calls in training": trained,
                "calls in evaluation": evaluated,
                "changes of mode": changes,
                "compiled": "the call is compiled" if step.jit else "the call is not compiled",
            }
        )
    return found
