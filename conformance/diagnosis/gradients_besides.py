"""Names mistakes in the gradients besides those in what calls return.

The gradients of a mode can be compared with the known mistakes if y is right in all of its calls,
or would be if what was named were declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from conformance.diagnosis.deadline import OutOfTimeError
from conformance.diagnosis.diagnosis import (
    ALIKE,
    Investigation,
    explain_share,
    name_match,
    reproduces,
)
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.observe import observe_gradients
from conformance.diagnosis.prediction import error_ratios
from conformance.diagnosis.search import Match, evidence_of, matches
from conformance.diagnosis.several import Combination, find_several, mode_of
from conformance.diagnosis.verification import declaring, suggested_by
from conformance.properties.support.subject import Subject
from conformance.requirements.verdict import Verdict

_MODES = ("training", "evaluation")


def add_gradients(
    subject: Subject, found: Investigation, verdicts: Iterable[Verdict]
) -> Investigation:
    """Return an investigation with the mistakes in the gradients, if they are known.

    Args:
        subject: The implementation.
        found: What is known by its calls.
        verdicts: The violations; only wrong gradients of a mode whose y is right are looked into.
    """
    calls, conventions = found.calls, subject.conventions
    if found.matches and all(match.alternative.widens for match in found.matches):
        conventions = declaring(subject, suggested_by([found.diagnosis])).conventions
        calls = evidence_of([*calls.observations], conventions)
    modes = _violated(verdicts) - _wrong(calls)
    if not modes or not found.matches or not found.complete or found.evidence is not found.calls:
        return found
    observed = (o for o in observe_gradients(subject) if o.call and o.call.kind == "gradient")
    evidence = evidence_of([o for o in observed if mode_of(o) in modes], conventions)
    with suppress(OutOfTimeError):
        named, figure = _known(evidence)
        besides = tuple(name_match([*fitting], evidence, figure) for fitting in named)
        return replace(
            found,
            matches=(*found.matches, *(fitting[0] for fitting in named)),
            further=(*found.further, *besides),
            gradients=evidence if named else None,
        )
    return found


def _known(evidence: Evidence) -> tuple[list[Sequence[Match]], str]:
    """Return the mistakes in gradients, each with those that fit as well, and what they explain."""
    fitting = matches(evidence, backward=True)
    if 0 < len(fitting) <= ALIKE:
        return [fitting], reproduces(evidence, f"{fitting[0].explained} of which deviate")
    several = find_several(evidence, backward=True) if not fitting else Combination()
    return [(match,) for match in several.matches], explain_share(several, evidence)


def _violated(verdicts: Iterable[Verdict]) -> set[str]:
    """Return the modes of which a gradient is wrong."""
    labels = [v.violation.finding.label for v in verdicts if v.violation is not None]
    wrong = [label for label in labels if label.startswith("the gradient of ")]
    return {mode for mode in _MODES for label in wrong if label.endswith(f" in {mode}")}


def _wrong(calls: Evidence) -> set[str]:
    """Return the modes in which y is wrong, or a call raises."""
    found = set()
    for observation, truth, seen in zip(calls.observations, calls.truth, calls.seen, strict=True):
        y = None if truth is None or observation.raised else error_ratios(truth, seen).get("y")
        if observation.call is not None and (y is None or (y > 1).any()):
            found.add(mode_of(observation))
    return found
