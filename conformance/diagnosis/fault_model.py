"""What an alternative is: one known mistake, as replaced steps of the model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.diagnosis.reference_model import Step, Steps


@dataclass(frozen=True, slots=True)
class Parameter:
    """A constant inside a mistake, to be recovered from the numbers.

    ``grid`` brackets it; between two values of the grid it is found by bisection. A
    ``threshold`` cannot be bisected, because results jump there: then the grid itself is tried.
    """

    grid: Sequence[float]
    threshold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One known mistake.

    ``sentence`` says what it is, with ``{c}`` for the constant; ``formula`` how it computes;
    ``remedy`` what to do; ``convention`` where it is legitimate and how to declare or convert
    it. ``steps`` maps a constant (ignored where there is no ``parameter``) to replaced steps.
    ``remembers``: it depends on earlier calls of the same layer. ``needs``: how many calls it
    must explain that the truth does not. ``widens``: it claims less than the truth: a
    wider bound for the variance, or any start value.
    ``module``: where it was registered.
    """

    id: str
    sentence: str
    formula: str
    steps: Callable[[float], Steps]
    module: str
    remedy: str = ""
    convention: str = ""
    parameter: Parameter | None = None
    remembers: bool = False
    needs: int = 3
    widens: bool = False


ALTERNATIVES: dict[str, Alternative] = {}
"""Every alternative by id, by the id under which results name it."""


def step(name: str, function: Step) -> dict[str, Any]:
    """Return one replaced step whose name is not known before."""
    return {name: function}


def alternative(
    identity: str,
    sentence: str,
    formula: str = "",
    *,
    remedy: str = "",
    convention: str = "",
    remembers: bool = False,
    needs: int = 3,
    widens: bool = False,
    **steps: Step,
) -> None:
    """Register a mistake without a constant: ``steps`` are the replaced steps by name."""
    _register(
        Alternative(
            id=identity,
            sentence=sentence,
            formula=formula,
            remedy=remedy,
            convention=convention,
            steps=lambda _: steps,
            remembers=remembers,
            needs=needs,
            widens=widens,
            module=_caller(),
        )
    )


def family(
    identity: str,
    sentence: str,
    formula: str,
    parameter: Parameter,
    steps: Any,
    *,
    remedy: str = "",
    convention: str = "",
    needs: int = 3,
) -> None:
    """Register mistakes that differ in a constant c; ``steps`` maps it to replaced steps."""
    _register(
        Alternative(
            id=identity,
            sentence=sentence,
            formula=formula,
            remedy=remedy,
            convention=convention,
            steps=steps,
            parameter=parameter,
            needs=needs,
            module=_caller(),
        )
    )


def _caller() -> str:
    return str(sys._getframe(2).f_globals["__name__"])


def _register(made: Alternative) -> None:
    if made.id in ALTERNATIVES:
        msg = f"there is an alternative {made.id!r} already"
        raise ValueError(msg)
    ALTERNATIVES[made.id] = made
