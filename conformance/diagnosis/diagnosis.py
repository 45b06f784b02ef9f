"""The most likely mistake of an implementation, and the evidence for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from conformance.adapters.implementation import Declaration, Implementation
from conformance.adapters.operations.executor import Executor
from conformance.diagnosis.deadline import OutOfTimeError, check_time
from conformance.diagnosis.experiment import DECOY
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.observe import (
    Observation,
    changes_its_input,
    differing,
    observe,
    observe_gradients,
    observe_ranks,
)
from conformance.diagnosis.search import Match, evidence_of, matches, without_raised
from conformance.diagnosis.several import Combination, find_several
from conformance.properties.support.subject import Subject

_ALIKE = 5
"""The largest number of matching mistakes for which the first is named."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The most likely mistake of an implementation.

    Attributes:
        kind: "alternative" if a known mistake reproduces every number, "observed" if an observed
            fact suffices, "none" if nothing can be said.
        id: The id of the alternative, with its scope after an @, or of the fact.
        sentence: What is wrong.
        formula: What the layer computes.
        figure: The evidence, as a sentence.
        remedy: What to do.
        convention: Where it is legitimate, and how to declare or convert it.
        constants: The constants that were recovered from the numbers.
        explained: How many calls contradict the reference model and are reproduced.
        deviating: How many calls contradict the reference model.
        calls: How many calls were made.
        also: The sentences of mistakes that fit as well as the first.
    """

    kind: Literal["alternative", "observed", "none"]
    id: str = ""
    sentence: str = ""
    formula: str = ""
    figure: str = ""
    remedy: str = ""
    convention: str = ""
    constants: tuple[float, ...] = ()
    explained: int = 0
    deviating: int = 0
    calls: int = 0
    also: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; empty ones are left out."""
        found = {name: value for name, value in asdict(self).items() if value or name == "kind"}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}


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
    """

    diagnosis: Diagnosis
    matches: tuple[Match, ...]
    calls: Evidence
    evidence: Evidence
    further: tuple[Diagnosis, ...] = ()
    complete: bool = True
    hurried: bool = False


def investigate(subject: Subject) -> Investigation:
    """Find the most likely mistakes; nothing is named if no call that matters returned."""
    conventions = subject.conventions
    if not conventions.moves_statistics():  # the mistakes are those of layers with two modes
        unseen = evidence_of([], conventions)
        return Investigation(Diagnosis("none"), (), unseen, unseen)
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
    if backward and not evidence.deviant:  # nor is any gradient wrong
        ranks = evidence_of(observe_ranks(subject), conventions)
        evidence, backward = (ranks, False) if ranks.deviant else (evidence, True)
    found = matches(evidence, backward=backward)
    found = found or matches(without_raised(evidence), backward=backward)
    if all(o.raised for o in evidence.observations):
        found = []
    elif found and len(found) <= _ALIKE:
        figure = _reproduces(evidence, f"{found[0].explained} of which deviate")
        return Investigation(_name(found, evidence, figure), (found[0],), calls, evidence)
    fact = None if found else _find_fact(calls)
    if fact is None and not found and not evidence.has_ranks:
        several = find_several(evidence, backward=backward)
        if several.matches:
            return _name_several(several, calls, evidence)
    nothing = Diagnosis("none", deviating=len(evidence.deviant), calls=len(evidence.observations))
    return Investigation(fact or nothing, (), calls, evidence)


def _name_several(several: Combination, calls: Evidence, evidence: Evidence) -> Investigation:
    whole = _reproduces(evidence, f"together with {len(several.matches) - 1} more")
    part = "reproduces one quantity in all calls, of which it explains"
    first, *further = (
        _name([match], evidence, whole if several.complete else f"{part} {match.explained}")
        for match in several.matches
    )
    return Investigation(
        first, several.matches, calls, evidence, tuple(further), complete=several.complete
    )


def _reproduces(evidence: Evidence, share: str) -> str:
    """Return how many calls a mistake reproduces."""
    raised = sum(bool(o.raised) for o in evidence.observations)
    apart = f"; {raised} more raise" if raised else ""
    return f"reproduces all {len(evidence.observations) - raised} calls tried, {share}{apart}"


def _name(found: list[Match], evidence: Evidence, figure: str) -> Diagnosis:
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


def _find_fact(evidence: Evidence) -> Diagnosis | None:
    """Return a fact that needs no model of the mistake, or None."""
    spoiled = sum(map(changes_its_input, evidence.observations))
    if spoiled:
        return Diagnosis(
            "observed",
            "input-changed",
            "the array that the caller hands over is written to",
            figure=f"{spoiled} of {len(evidence.observations)} calls changed their input",
            remedy="copy before writing into an array that was given",
        )
    varying = differing(evidence.observations)
    if varying:
        return Diagnosis(
            "observed",
            "varies",
            "the same call from the same state gives different results",
            figure=f"{varying} repeated calls differed from the first",
            remedy="look for random numbers, or for memory outside the four arrays",
        )
    return _find_exception(evidence.observations)


def _find_exception(observations: Sequence[Observation]) -> Diagnosis | None:
    """Return the exception that most layers raise, or None."""
    tried = len({o.series for o in observations})
    ended = {o.series: (o.raised, o.operation) for o in observations if o.operation}
    if not ended:
        return None
    raised, _ = Counter(raised for raised, _ in ended.values()).most_common(1)[0]
    where = [operation for other, operation in ended.values() if other == raised]
    if len(where) <= tried / 2:
        return None
    step, _ = Counter(where).most_common(1)[0]
    return Diagnosis(
        "observed",
        "raises",
        f"{step} raises {raised}",
        figure=f"{len(where)} of {tried} layers that were tried ended so",
        remedy="if the layer is driven by an adapter, `conformance smoke` goes through its steps",
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
