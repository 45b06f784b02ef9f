"""Pairs and triples of single faults that override different steps of one layer."""

from __future__ import annotations

import hashlib
from inspect import isfunction
from itertools import combinations
from typing import Any

from impl.combined.record import combined
from impl.faulty import FAULTS
from impl.faulty.record import Fault

_SINGLE = """
gamma-unused beta-unused gamma-absolute gamma-plus-one beta-before-gamma gamma-of-the-first
eps-outside eps-missing eps-squared eps-twice eps-hard-coded eps-as-floor
momentum-of-the-new overwritten std-stored eps-stored variance-never-falls
unbiased-running updated-twice weighted-by-rows
both-axes mean-bessel first-row-left-out tail-of-16
uncentred-variance running-var-zeros running-mean-ones
evaluation-uses-batch evaluation-without-gain evaluation-updates
normalizes-with-running lanes-beyond-128 last-feature-skipped
"""
"""Faults that each override a few steps, and that calls show."""

_PAIRS, _TRIPLES = 60, 12

_ONE = {"running-var-zeros+running-mean-ones": "statistics-initialisers-exchanged"}
"""Pairs that are one mistake under another name."""


def record_combinations() -> None:
    """Record the pairs and triples whose names have the smallest digests."""
    single = [FAULTS[name] for name in _SINGLE.split()]
    for size, count in ((2, _PAIRS), (3, _TRIPLES)):
        possible = [chosen for chosen in combinations(single, size) if _are_apart(chosen)]
        for chosen in sorted(possible, key=_digest)[:count]:
            _record(chosen)


def _record(chosen: tuple[Fault, ...]) -> None:
    sentences = " ".join(fault.sentence for fault in chosen)
    breaks = dict.fromkeys(fault.breaks[0] for fault in chosen)
    layer = type("Combined", tuple(map(_class_of, chosen)), {"__doc__": sentences})
    layer.__module__ = __name__
    ids = [(fault.name, *fault.diagnosed) for fault in chosen]
    name = _name_of(chosen)
    combined(name, *breaks, mistakes=[(_ONE[name],)] if name in _ONE else ids)(layer)


def _name_of(chosen: tuple[Fault, ...]) -> str:
    return "+".join(fault.name for fault in chosen)


def _digest(chosen: tuple[Fault, ...]) -> str:
    return hashlib.sha256(_name_of(chosen).encode()).hexdigest()


def _class_of(fault: Fault) -> Any:
    assert fault.implementation.construction is not None, "a class of NNX"  # noqa: S101
    return fault.implementation.construction.module


def _are_apart(chosen: tuple[Fault, ...]) -> bool:
    """Whether the classes override different methods."""
    names = [name for fault in chosen for name in _overridden(_class_of(fault))]
    return len(names) == len(set(names))


def _overridden(layer: type) -> list[str]:
    return [name for name, value in vars(layer).items() if isfunction(value) and name[0] != "_"]
