"""Examines a module that can be called: mode, arrays, momentum and ε, and further domain."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from conformance.adapters.calling import Calling, Layout
from conformance.adapters.domain import Wider
from conformance.adapters.errors import AdapterError
from conformance.adapters.protocols import PARAMETERS, STATISTICS
from conformance.adapters.recognition.arrays import (
    AmbiguousError,
    Located,
    add_extra,
    check_statistics,
    find_rows,
    find_stacked,
    locate_arrays,
)
from conformance.adapters.recognition.building import label_of, make_specimen
from conformance.adapters.recognition.callables import GUIDE
from conformance.adapters.recognition.conclusion import Recognized
from conformance.adapters.recognition.constructor import (
    EPS,
    GUESS,
    MOMENTUM,
    WIDTH,
    Plan,
    explain_missing,
)
from conformance.adapters.recognition.effects import Chosen, choose_mode, normalizes_all_axes
from conformance.adapters.recognition.extended import find_extended
from conformance.adapters.recognition.findings import Domain, Findings
from conformance.adapters.recognition.hyperparameters import Measured, find_changing, measure
from conformance.adapters.recognition.mode_choice import NO_MODE, list_possible_words, read_call
from conformance.adapters.recognition.ranks import Fit, list_further_layouts, prefer_spatial
from conformance.adapters.recognition.shapes import match_known_shape
from conformance.adapters.recognition.signature import Signature
from conformance.adapters.recognition.specimen import Specimen, value_of
from conformance.requirements.deviations import DTYPES, Deviation


class Examination:
    """Finds out the rest about a module that can be called."""

    def __init__(
        self, name: str, plan: Plan, signature: Signature, specimen: Specimen, fit: Fit
    ) -> None:
        self._name, self._signature, self._fit = name, signature, fit
        self._plan, self._specimen = plan, specimen

    def conclude(self) -> Recognized:
        chosen = choose_mode(self._specimen, self._fit)
        if chosen.mode == NO_MODE and (words := list_possible_words(self._specimen.module)):
            raise AdapterError(_explain_words(self._name, words[0]))
        further = self._list_further(chosen)
        wider, dtype = find_extended(
            self._plan, self._signature, self._specimen, self._fit, chosen.mode, further
        )
        if wider is None or not wider.ndim:
            self._fit, further = prefer_spatial(self._fit, chosen.mode, further)
        domain = Domain(
            further=further, wider=wider if self._fit.layout.ndim == 2 else None, dtype=dtype
        )
        known = match_known_shape(self._plan, self._specimen.module)
        if known is not None:
            reason = f"the arrays are {', '.join(known.roles.values())}, as in a {known.kind}"
            located = Located(roles=dict(known.roles), reasons=[_capitalize(reason)])
            return self._read(chosen, add_extra(self._specimen, located), domain, known.kind)
        try:
            located = self._locate(chosen)
            if rows := find_rows(self._specimen, located, chosen):
                return self._with_rows(rows).conclude()
            self._check(located, chosen)
        except AmbiguousError as error:
            readings = error.list_readings(self._specimen.holders())
            lines = [self._read(chosen, Located(roles=each), domain).line for each in readings]
            raise AdapterError(self._explain_ambiguity(error, lines)) from None
        return self._read(chosen, located, domain)

    def _read(self, chosen: Chosen, located: Located, domain: Domain, kind: str = "") -> Recognized:
        """Return the reading of a module whose arrays are known."""
        measured = self._measure(chosen, located)
        return Findings(
            label=label_of(self._name),
            kind=kind,
            plan=self._plan,
            fit=self._fit,
            chosen=chosen,
            located=located,
            measured=measured,
            refuses_single_row=self._refuses_single_row(chosen),
            takes_numpy=self._takes_numpy(chosen),
            dtypes=self._list_dtypes(chosen, located),
            domain=domain,
            ignored=self._list_ignored(chosen, domain.wider),
        ).conclude()

    def _list_further(self, chosen: Chosen) -> tuple[Layout, ...]:
        """Return the other layouts that the module takes."""
        found = list_further_layouts(self._specimen, chosen.mode, self._fit)
        return tuple(
            layout
            for layout in found
            if chosen.train.moved or normalizes_all_axes(self._specimen, layout, chosen.mode)
        )

    def _locate(self, chosen: Chosen) -> Located:
        located = locate_arrays(self._specimen, self._fit, chosen)
        if located.other_form:
            raise AdapterError(_explain_other_form(self._name, located.other_form))
        return located

    def _with_rows(self, stacked: frozenset[str]) -> Examination:
        specimen = replace(self._specimen, stacked=stacked, _programs={})
        return Examination(self._name, self._plan, self._signature, specimen, self._fit)

    def _check(self, located: Located, chosen: Chosen) -> None:
        """Raise an error if the running statistics cannot be read and written."""
        if stacked := find_stacked(self._specimen, located, chosen):
            raise AdapterError(_explain_stacked(self._name, *stacked))
        missing = check_statistics(located)
        if missing:
            msg = (
                f"{self._name} has one of the running statistics, but no {missing} was found. Say "
                f'where it is: Implementation.nnx({label_of(self._name)}, {missing}="…"). If it '
                "is kept in another form, such as a sum or a logarithm, write an adapter that "
                f"converts it in read and write: Implementation(name=…, build=…). {GUIDE}"
            )
            raise AdapterError(msg)

    def _explain_ambiguity(self, error: AmbiguousError, lines: list[str]) -> str:
        return (
            f"{self._name} may be read in two ways, {error}. Run one of these objects instead:\n  "
            + "\n  ".join(lines)
            + f"\n  {GUIDE}"
        )

    def _measure(self, chosen: Chosen, located: Located) -> Measured:
        """Measure momentum and ε, and find their arguments where names do not say."""

        def measure_again(specimen: Specimen) -> Measured:
            return measure(specimen, self._fit, chosen, located.roles)

        measured = measure_again(self._specimen)
        if self._drop_ineffective(measured):
            measured = measure_again(self._specimen)
        candidates = self._list_candidates()
        if not candidates:
            return measured
        found = self._list_known_options()
        found |= find_changing(candidates, self._build_with, measured, measure_again)
        unknown = [each for each in self._plan.guessed if each not in found.values()]
        if unknown:
            plan = replace(
                self._plan,
                arguments={k: v for k, v in self._plan.arguments.items() if k not in unknown},
            )
            raise AdapterError(explain_missing(self._name, plan, unknown))
        if not found:
            return measured
        left = {k: v for k, v in self._plan.arguments.items() if k not in found.values()}
        keywords = {**self._plan.keywords, **found}
        self._plan = replace(self._plan, keywords=keywords, arguments=left, guessed=())
        self._specimen = self._build_with()
        return measure_again(self._specimen)

    def _build_with(self, arguments: Mapping[str, float] | None = None) -> Specimen:
        specimen = make_specimen(self._plan, further=arguments)
        return replace(specimen, stacked=self._specimen.stacked)

    def _list_candidates(self) -> dict[str, float]:
        """Return numeric arguments whose names say nothing, while a role has no argument.

        Momentum and ε are both between 0 and 1.
        """
        if {"momentum", "eps"} <= self._plan.keywords.keys():
            return dict.fromkeys(self._plan.guessed, GUESS / 2)
        taken = {*self._plan.keywords.values(), *self._plan.arguments}
        hidden = _HIDDEN if self._signature.is_open else {}
        optional = {
            name: value
            for role, values in hidden.items()
            for name, value in values.items()
            if role not in self._plan.keywords and name not in self._signature.parameters
        }
        optional |= {
            name: each.default / 2
            for name, each in self._signature.parameters.items()
            if name not in taken and type(each.default) is float and 0 < each.default <= 1
        }
        return dict.fromkeys(self._plan.guessed, GUESS / 2) | optional

    def _list_known_options(self) -> dict[str, str]:
        """Return the names that ``**kwargs`` accepts for a role, if not just any name is.

        If such an argument has no effect, that is the layer's fault.
        """
        known: dict[str, str] = {}
        if self._signature.is_open and not self._takes_anything():
            for role in _HIDDEN.keys() - self._plan.keywords.keys():
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
            for role, own in self._plan.keywords.items()
            if wrong.get(role) and self._is_swallowed(own)
        }
        if swallowed and self._takes_anything():
            left = {k: v for k, v in self._plan.keywords.items() if k not in swallowed}
            self._plan = replace(self._plan, keywords=left)
            self._specimen = self._build_with()
            return True
        return False

    def _is_swallowed(self, own: str) -> bool:
        parameter = self._signature.parameters.get(own)
        return parameter is None or parameter.inherited

    def _list_ignored(self, chosen: Chosen, wider: Wider | None) -> tuple[str, ...]:
        used = {chosen.mode.calling.flag, wider.mask if wider is not None else None}
        return tuple(
            each.name
            for each in read_call(self._specimen.module)
            if each.name not in used and each.default is not each.empty
        )

    def _list_dtypes(self, chosen: Chosen, located: Located) -> frozenset[Deviation]:
        """Return the declarations of dtypes other than float32, of arrays and of y."""
        holders = self._specimen.holders()
        found = {}
        for declare, roles in (
            (Deviation.statistics_in, STATISTICS),
            (Deviation.parameters_in, PARAMETERS),
        ):
            paths = (located.roles[role] for role in roles if role in located.roles)
            found[declare] = {str(value_of(holders[p]).dtype) for p in paths if p in holders}
        calling = self._fit.with_layout(chosen.mode)
        with suppress(Exception):  # a call may raise anything; then its dtype is not known
            y = self._specimen.try_shape(calling, self._fit.shape, evaluate=False).y
            found[Deviation.output_in] = {str(y.dtype)}
        return frozenset(
            declare(*dtypes)
            for declare, dtypes in found.items()
            if len(dtypes) == 1 and dtypes <= {*DTYPES}
        )

    def _takes_numpy(self, chosen: Chosen) -> bool:
        """Whether calls with NumPy arrays work, too, where those with JAX arrays do."""
        if not self._fit.complete or not self._specimen.is_traceable:
            return True
        calling = self._fit.with_layout(chosen.mode)
        return not any(
            self._specimen.refuses_numpy(calling, self._fit.shape, evaluate=evaluate)
            for evaluate in (False, True)
        )

    def _refuses_single_row(self, chosen: Chosen) -> bool:
        """Whether training on a single row raises."""
        if not chosen.train.trains or not self._fit.complete:
            return False
        shape = [1] * self._fit.layout.ndim
        shape[1 if self._fit.layout.first else -1] = WIDTH
        calling: Calling = self._fit.with_layout(chosen.mode)
        try:
            self._specimen.try_shape(calling, tuple(shape), evaluate=False)
        except Exception:  # noqa: BLE001  a call may raise anything
            return True
        return False


_NO_OPTION = "conformance_no_option"
"""The name of an argument that no constructor knows."""

_HIDDEN: Mapping[str, Mapping[str, float]] = {
    "momentum": {"momentum": MOMENTUM, "decay": MOMENTUM},
    "eps": {"eps": EPS, "epsilon": EPS},
}
"""Arguments that ``**kwargs`` may take without naming them, and values that are not defaults."""


def _is_other(value: float | None, *expected: float) -> bool:
    return value is not None and all(abs(value - each) > 1e-2 * each for each in expected)


def _explain_other_form(name: str, path: str) -> str:
    return (
        f"{name}: {path} is not a variance, by its name and by how the output responds to it, and "
        "the requirements read and write the running variance. Write an adapter that converts it "
        f"in read and write: Implementation(name=…, build=…). {GUIDE} If it is the variance all "
        f'the same: Implementation.nnx({label_of(name)}, running_var="{path}").'
    )


def _explain_stacked(name: str, path: str, shape: tuple[int, ...]) -> str:
    sizes = ", ".join("D" if size == WIDTH else str(size) for size in shape)
    return (
        f"{name} keeps its running mean and its running variance in one array, {path}, of shape "
        f"({sizes}), and the requirements read and write each by itself. Keep them in attributes "
        "of their own, or write an adapter that takes them apart in read and write: "
        f"Implementation(name=…, build=…). {GUIDE}"
    )


def _explain_words(name: str, argument: str) -> str:
    return (
        f"{name}: nothing that was tried changes the mode, but its call takes {argument}, which "
        f"may choose it. Say which value trains and which evaluates: Implementation.nnx("
        f'{label_of(name)}, flag="{argument}", flag_values=("…", "…")), and run that object '
        f"instead. If they are not words, write a subclass whose call takes a boolean. {GUIDE}"
    )


def _capitalize(text: str) -> str:
    return text[0].upper() + text[1:]
