"""Alternatives: known mistakes as replaced steps of the reference model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import isfunction
from typing import Any

from conformance.diagnosis.backward_model import BACKWARD_STEPS
from conformance.diagnosis.model_state import Step, Steps
from conformance.diagnosis.reference_model import ReferenceModel

_STEPS = BACKWARD_STEPS | {
    name for name, value in vars(ReferenceModel).items() if isfunction(value)
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A constant inside a mistake, to be recovered from the numbers.

    Attributes:
        grid: Brackets the constant, which is found by bisection between two values of the grid.
        threshold: Results jump at the constant, so it cannot be bisected: only the values of the
            grid are tried.
    """

    grid: Sequence[float]
    threshold: bool = False


_TERMS = "dx = γ·r·(w − mean(w) − z·mean(w·z))"

_PLAIN = {
    "gamma_gradient": "dγ = Σ w·z",
    "beta_gradient": "dβ = Σ w",
    "evaluation_gradient": "dx = γ·r·w in evaluation",
}
"""What steps should compute that are not those of dx in training."""

ANY_SIZE = Parameter(tuple(10.0**k for k in range(-14, 10)))
"""Constants of any size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One known mistake.

    Attributes:
        id: The name of the fault in the gallery that makes this mistake, if there is one.
        sentence: What is wrong, with ``{c}`` for the constant.
        steps: Maps a constant (ignored without a ``parameter``) to replaced steps.
        formula: What the layer computes.
        remedy: What to do.
        convention: Where it is legitimate, and how to declare or convert it.
        parameter: The constant, if there is one.
        remembers: It depends on earlier calls of the same layer.
        needs: How many calls it must explain that the reference model does not.
        widens: It claims less than the reference model: a larger bound for the variance, or any
            initial value.
        backward: It concerns gradients, and is tried where everything else is correct.
        spread: It concerns layers whose layout spreads rows over several axes.
    """

    id: str
    sentence: str
    steps: Callable[[float], Steps]
    formula: str = ""
    remedy: str = ""
    convention: str = ""
    parameter: Parameter | None = None
    remembers: bool = False
    needs: int = 3
    widens: bool = False
    backward: bool = False
    spread: bool = False


def constant_of(alternative: Alternative) -> float:
    """Return the constant with which an alternative is modelled: the middle one of its grid."""
    grid = alternative.parameter.grid if alternative.parameter else (float("nan"),)
    return grid[len(grid) // 2]


ALTERNATIVES: dict[str, Alternative] = {}
"""Every alternative by id; of those that fit equally well, the first is preferred."""


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
    backward: bool = False,
    spread: bool = False,
    **steps: Step,
) -> None:
    """Register a mistake without a constant; for the arguments see ``Alternative``.

    Args:
        identity: The id.
        sentence: What is wrong.
        formula: What the layer computes.
        remedy: What to do.
        convention: Where it is legitimate.
        remembers: Whether it depends on earlier calls.
        needs: How many calls it must explain.
        widens: Whether it claims less than the reference model.
        backward: Whether it concerns gradients; inferred from the steps, if there are any.
        spread: Whether it concerns inputs of several axes.
        **steps: The replaced methods of ``ReferenceModel`` or ``BackwardModel``.

    Raises:
        ValueError: The id is taken, or a step is unknown.
    """
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
            backward=backward or not BACKWARD_STEPS.isdisjoint(steps),
            spread=spread,
        ),
        steps,
    )


def backward(identity: str, sentence: str, formula: str = "", **steps: Step) -> None:
    """Register a mistake of the backward pass.

    Args:
        identity: The id.
        sentence: What is wrong.
        formula: What the layer computes.
        **steps: The replaced methods of ``BackwardModel``.

    Raises:
        ValueError: The id is taken, or a step is unknown.
    """
    replaced: dict[str, Any] = steps
    plain = [text for step, text in _PLAIN.items() if step in steps]
    remedy = ", ".join(plain) if len(plain) == len(steps) else _TERMS
    alternative(identity, sentence, formula, remedy=remedy, needs=2, **replaced)


def family(
    identity: str,
    sentence: str,
    parameter: Parameter,
    steps: Callable[[float], Steps],
    **about: Any,
) -> None:
    """Register mistakes that differ in a constant c, written ``{c}`` in the sentence.

    Args:
        identity: The id.
        sentence: What is wrong.
        parameter: The constant.
        steps: Maps c to replaced steps.
        **about: Formula, remedy, convention and needs; see ``Alternative``.

    Raises:
        ValueError: The id is taken, or a step is unknown.
    """
    replaced = steps(parameter.grid[0])
    about["backward"] = not BACKWARD_STEPS.isdisjoint(replaced)
    _register(
        Alternative(id=identity, sentence=sentence, parameter=parameter, steps=steps, **about),
        replaced,
    )


def replace_step(name: str, function: Step) -> dict[str, Any]:
    """Return one replaced step whose name is computed, to be passed as ``**steps``."""
    return {name: function}


def each_statistic(which: str, function: Step) -> dict[str, Any]:
    """Return the replaced steps that update one running statistic, or both, in another way.

    Args:
        which: "mean", "variance", or "" for both.
        function: Receives the model, the old and the new value.
    """
    name = {"mean": "moved_mean", "variance": "moved_var"}.get(which, "moved")
    return replace_step(name, function)


def _register(made: Alternative, steps: Steps) -> None:
    if made.id in ALTERNATIVES:
        msg = f"there is already an alternative {made.id!r}"
        raise ValueError(msg)
    unknown = set(steps) - _STEPS
    if unknown or not (steps or made.widens):
        msg = f"{made.id!r} replaces no step, or unknown ones: {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    ALTERNATIVES[made.id] = made
