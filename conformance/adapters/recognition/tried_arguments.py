"""Finds the arguments of a constructor for momentum and ε, by what they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from conformance.adapters.errors import AdapterError
from conformance.adapters.recognition.building import make_specimen
from conformance.adapters.recognition.constructor import (
    EPS,
    GUESS,
    MOMENTUM,
    Plan,
    explain_missing,
)
from conformance.adapters.recognition.hyperparameters import Measured, find_changing
from conformance.adapters.recognition.signature import Signature
from conformance.adapters.recognition.specimen import Specimen

_NO_OPTION = "conformance_no_option"
"""The name of an argument that no constructor knows."""

_HIDDEN: Mapping[str, Mapping[str, float]] = {
    "momentum": {"momentum": MOMENTUM, "decay": MOMENTUM},
    "eps": {"eps": EPS, "epsilon": EPS},
}
"""Arguments that ``**kwargs`` may take without naming them, and values that are not defaults."""


@dataclass(slots=True)
class Arguments:
    """The arguments with which a module is constructed; both change as more is known.

    Attributes:
        name: What the user typed, for messages.
        plan: How the module is constructed.
        signature: What the constructor takes.
        specimen: The module to experiment on.
    """

    name: str
    plan: Plan
    signature: Signature
    specimen: Specimen

    def measure(self, measure_again: Callable[[Specimen], Measured]) -> Measured:
        """Return what a module shows, constructed with arguments for momentum and ε.

        Args:
            measure_again: Measures a module.

        Raises:
            AdapterError: A required argument has no effect, so that its value is not known.
        """
        measured = measure_again(self.specimen)
        if self._drop_ineffective(measured):
            measured = measure_again(self.specimen)
        candidates = self._list_candidates()
        if not candidates:
            return measured
        found = self._list_known_options()
        found |= find_changing(candidates, self._build_with, measured, measure_again)
        unknown = [each for each in self.plan.guessed if each not in found.values()]
        if unknown:
            plan = replace(
                self.plan,
                arguments={k: v for k, v in self.plan.arguments.items() if k not in unknown},
            )
            raise AdapterError(explain_missing(self.name, plan, unknown))
        if not found:
            return measured
        left = {k: v for k, v in self.plan.arguments.items() if k not in found.values()}
        keywords = {**self.plan.keywords, **found}
        self.plan = replace(self.plan, keywords=keywords, arguments=left, guessed=())
        self.specimen = self._build_with()
        return measure_again(self.specimen)

    def _build_with(self, arguments: Mapping[str, float] | None = None) -> Specimen:
        specimen = make_specimen(self.plan, further=arguments)
        return replace(specimen, stacked=self.specimen.stacked)

    def _list_candidates(self) -> dict[str, float]:
        """Return numeric arguments whose names say nothing, while a role has no argument.

        Momentum and ε are both between 0 and 1.
        """
        if {"momentum", "eps"} <= self.plan.keywords.keys():
            return dict.fromkeys(self.plan.guessed, GUESS / 2)
        taken = {*self.plan.keywords.values(), *self.plan.arguments}
        hidden = _HIDDEN if self.signature.is_open else {}
        optional = {
            name: value
            for role, values in hidden.items()
            for name, value in values.items()
            if role not in self.plan.keywords and name not in self.signature.parameters
        }
        optional |= {
            name: each.default / 2
            for name, each in self.signature.parameters.items()
            if name not in taken and type(each.default) is float and 0 < each.default <= 1
        }
        return dict.fromkeys(self.plan.guessed, GUESS / 2) | optional

    def _list_known_options(self) -> dict[str, str]:
        """Return the names that ``**kwargs`` accepts for a role, if not just any name is.

        If such an argument has no effect, that is the layer's fault.
        """
        known: dict[str, str] = {}
        if self.signature.is_open and not self._takes_anything():
            for role in _HIDDEN.keys() - self.plan.keywords.keys():
                for name, value in _HIDDEN[role].items():
                    if role not in known and self._is_built_with({name: value / 2}):
                        known[role] = name
        return known

    def _takes_anything(self) -> bool:
        return self._is_built_with({_NO_OPTION: GUESS})

    def _is_built_with(self, arguments: Mapping[str, float]) -> bool:
        try:
            self._build_with(arguments)
        except Exception:  # noqa: BLE001  a constructor may raise anything
            return False
        return True

    def _drop_ineffective(self, measured: Measured) -> bool:
        """Drop arguments that only ``**kwargs`` takes and that change nothing: values are fixed."""
        wrong = {
            "momentum": _is_other(measured.weight, MOMENTUM, 1 - MOMENTUM),
            "eps": _is_other(measured.eps, EPS),
        }
        swallowed = {
            role
            for role, own in self.plan.keywords.items()
            if wrong.get(role) and self._is_swallowed(own)
        }
        if swallowed and self._takes_anything():
            left = {k: v for k, v in self.plan.keywords.items() if k not in swallowed}
            self.plan = replace(self.plan, keywords=left)
            self.specimen = self._build_with()
            return True
        return False

    def _is_swallowed(self, own: str) -> bool:
        parameter = self.signature.parameters.get(own)
        return parameter is None or parameter.inherited


def _is_other(value: float | None, *expected: float) -> bool:
    return value is not None and all(abs(value - each) > 1e-2 * each for each in expected)
