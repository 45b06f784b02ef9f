"""Examines a module that can be called: mode, arrays, momentum and ε, and further domain."""

from __future__ import annotations

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
from conformance.adapters.recognition.building import label_of
from conformance.adapters.recognition.callables import GUIDE
from conformance.adapters.recognition.conclusion import Recognized
from conformance.adapters.recognition.constructor import (
    WIDTH,
    Plan,
)
from conformance.adapters.recognition.effects import Chosen, choose_mode, normalizes_all_axes
from conformance.adapters.recognition.extended import find_extended
from conformance.adapters.recognition.findings import Domain, Findings
from conformance.adapters.recognition.hyperparameters import Measured, measure
from conformance.adapters.recognition.mode_choice import NO_MODE, list_possible_words, read_call
from conformance.adapters.recognition.ranks import Fit, list_further_layouts, prefer_spatial
from conformance.adapters.recognition.shapes import match_known_shape
from conformance.adapters.recognition.signature import Signature
from conformance.adapters.recognition.specimen import Specimen, value_of
from conformance.adapters.recognition.tried_arguments import Arguments
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
        arguments = Arguments(self._name, self._plan, self._signature, self._specimen)
        measured = arguments.measure(
            lambda specimen: measure(specimen, self._fit, chosen, located.roles)
        )
        self._plan, self._specimen = arguments.plan, arguments.specimen
        return measured

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
