"""The most likely mistake of an implementation, and the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conformance.adapters.implementation import Declaration, Implementation
from conformance.adapters.operations.executor import Executor
from conformance.diagnosis.deadline import OutOfTimeError, check_time
from conformance.diagnosis.experiment import DECOY
from conformance.diagnosis.fault_models import ALTERNATIVES
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.observe import observe, observe_gradients, observe_ranks
from conformance.diagnosis.observed_facts import find_dtype, find_fact
from conformance.diagnosis.record import Diagnosis
from conformance.diagnosis.scopes import EVERYWHERE
from conformance.diagnosis.search import Match, evidence_of, matches, without_raised
from conformance.diagnosis.several import Combination, find_several
from conformance.properties.support.subject import Subject
from conformance.requirements.deviations import Deviation

ALIKE = 5
"""The largest number of matching mistakes for which the first is named."""


def diagnose(
    implementation: Implementation | Declaration, executor: Executor | None = None
) -> Diagnosis:
    """Find the most likely mistake of an implementation; a declared deviation is not a mistake.

    Args:
        implementation: A layer or a forward function; it is called, but not judged.
        executor: What calls it; None for this process.

    Returns:
        The diagnosis, of kind "none" where nothing can be said.
    """
    return investigate(Subject(implementation, executor)).diagnosis


@dataclass(frozen=True, slots=True)
class Investigation:
    """A diagnosis, and what it was made from.

    Attributes:
        diagnosis: The diagnosis.
        matches: The mistakes that it names.
        calls: The observed calls.
        evidence: What the mistakes were sought in: the calls or, if they are right, gradients.
        further: Diagnoses of mistakes that are made besides the first.
        complete: Whether the mistakes reproduce everything that was observed.
        hurried: Whether the time was up before all known mistakes were tried.
        gradients: What mistakes besides those in calls were found in, if there are any.
    """

    diagnosis: Diagnosis
    matches: tuple[Match, ...]
    calls: Evidence
    evidence: Evidence
    further: tuple[Diagnosis, ...] = ()
    complete: bool = True
    hurried: bool = False
    gradients: Evidence | None = None


def investigate(subject: Subject) -> Investigation:
    """Find the most likely mistakes; nothing is named if no call that matters returned."""
    conventions = subject.conventions
    calls = evidence_of(observe(subject), conventions)
    try:
        return _search(subject, calls)
    except OutOfTimeError:
        deviant, tried = len(calls.deviant), len(calls.observations)
        nothing = Diagnosis("none", deviating=deviant, calls=tried)
        return Investigation(nothing, (), calls, calls, hurried=True)


def _search(subject: Subject, calls: Evidence) -> Investigation:
    """Look for the mistakes that reproduce what was observed."""
    conventions = subject.conventions
    evidence, backward = calls, not calls.deviant
    check_time()
    if backward:
        evidence = evidence_of(observe_gradients(subject), conventions)
    if backward and not _differs(evidence):
        ranks = evidence_of(observe_ranks(subject), conventions)
        evidence, backward = (ranks, False) if ranks.deviant else (evidence, True)
    found = matches(evidence, backward=backward)
    found = found or matches(without_raised(evidence), backward=backward)
    if all(o.raised for o in evidence.observations):
        found = []
    elif found and len(found) <= ALIKE:
        figure = reproduces(evidence, f"{found[0].explained} of which deviate")
        return Investigation(name_match(found, evidence, figure), (found[0],), calls, evidence)
    besides = Combination() if found or backward else _besides_one_pass(evidence)
    if besides.matches:
        return _name_several(besides, calls, evidence)
    fact = None if found else find_fact(calls)
    if fact is None and not found and not evidence.has_ranks:
        several = find_several(evidence, backward=backward)
        if several.matches:
            return _name_several(several, calls, evidence)
    nothing = Diagnosis("none", deviating=len(evidence.deviant), calls=len(evidence.observations))
    return Investigation(fact or find_dtype(calls) or nothing, (), calls, evidence)


def _differs(gradients: Evidence) -> bool:
    """Return whether a gradient of y is wrong, and not only what flows through the statistics."""
    calls = (gradients.observations[at].call for at in gradients.deviant)
    return any(call is not None and call.kind == "gradient" for call in calls)


def _besides_one_pass(evidence: Evidence) -> Combination:
    """Return a mistake that reproduces everything if the variance may be computed in one pass.

    Many layers compute it so, and what a mistake remembers cannot be sought in one quantity.
    """
    conventions = evidence.conventions
    if conventions.follows(Deviation.ONE_PASS_VARIANCE):
        return Combination()
    declared = conventions.deviations | {Deviation.ONE_PASS_VARIANCE}
    relaxed = evidence_of(evidence.observations, replace(conventions, deviations=declared))
    found = matches(relaxed)
    if not 0 < len(found) <= ALIKE or "batch_var" in found[0].part().steps:
        return Combination()
    hidden = len(evidence.deviant) - len(relaxed.deviant)
    one_pass = Match(ALTERNATIVES["one-pass-variance"], EVERYWHERE, (float("nan"),), hidden)
    return Combination((found[0], one_pass), complete=True)


def _name_several(several: Combination, calls: Evidence, evidence: Evidence) -> Investigation:
    figure = explain_share(several, evidence)
    first, *further = (name_match([match], evidence, figure) for match in several.matches)
    return Investigation(
        first, several.matches, calls, evidence, tuple(further), complete=several.complete
    )


def explain_share(several: Combination, evidence: Evidence) -> str:
    """Return what several mistakes reproduce together, or the first one alone."""
    if several.complete or not several.matches:
        return reproduces(evidence, f"together with {len(several.matches) - 1} more")
    explained = several.matches[0].explained
    return f"reproduces one quantity in all calls, of which it explains {explained}"


def reproduces(evidence: Evidence, share: str) -> str:
    """Return how many calls a mistake reproduces."""
    raised = sum(bool(o.raised) for o in evidence.observations)
    apart = f"; {raised} more raise" if raised else ""
    return f"reproduces all {len(evidence.observations) - raised} calls tried, {share}{apart}"


def name_match(found: list[Match], evidence: Evidence, figure: str) -> Diagnosis:
    """Return the diagnosis of the first of some mistakes that fit equally well."""
    first, *others = found
    alternative = first.alternative
    return Diagnosis(
        "alternative",
        first.id,
        sentence(first),
        alternative.formula,
        figure=figure,
        remedy=alternative.remedy,
        convention=alternative.convention,
        constants=tuple(c for c in first.constants if alternative.parameter is not None),
        explained=first.explained,
        deviating=len(evidence.deviant),
        calls=len(evidence.observations),
        also=tuple(sentence(other) for other in others),
    )


def sentence(match: Match) -> str:
    """Return what is wrong, with the constant and where the mistake is made."""
    words = match.alternative.sentence
    if match.alternative.parameter is not None:
        built_last = match.constants[0] in {DECOY.momentum, DECOY.eps}
        if built_last:
            words = words.replace("{c}, whatever was asked for", "that of the layer built last")
        words = words.replace("{c}", _in_words(match.constants))
    return f"{words}, {match.scope.words}" if match.scope.words else words


def _in_words(constants: tuple[float, ...]) -> str:
    shown = [f"{constant:.7g}" for constant in sorted(constants)]
    return " or ".join(shown) if len(shown) < 3 else f"something from {shown[0]} to {shown[-1]}"
