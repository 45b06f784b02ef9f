"""Facts that suffice for a diagnosis, without a model of the mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.observe import Observation, changes_its_input, differing
from conformance.diagnosis.record import Diagnosis
from conformance.numerics.dtypes import SPACING_AT_ZERO

_DTYPES = {*SPACING_AT_ZERO, "float32"}


def find_fact(evidence: Evidence) -> Diagnosis | None:
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


def find_dtype(evidence: Evidence) -> Diagnosis | None:
    """Return which arrays a new layer keeps in another dtype than it declares, or None."""
    expected = evidence.conventions.stored_dtypes()
    new = [o.after.arrays() for o in evidence.observations if o.call is None and o.after]
    seen = {
        name: dtype
        for name, wanted in expected.items()
        for dtype in {str(each[name].dtype) for each in new} & _DTYPES - {wanted}
    }
    if not seen:
        return None
    facts = (f"{name} is kept in {dtype}, not in {expected[name]}" for name, dtype in seen.items())
    return Diagnosis(
        "observed",
        "stored-dtype",
        " and ".join(facts),
        figure=f"{len(new)} new layers were looked at",
        remedy="create it in float32, or in the dtype that is declared",
    )


def _find_exception(observations: Sequence[Observation]) -> Diagnosis | None:
    """Return the exception that most layers raise, or None."""
    tried = len({o.series for o in observations})
    ended = {o.series: o for o in observations if o.operation}
    if not ended:
        return None
    raised = _most_common(o.raised for o in ended.values())
    where = [o for o in ended.values() if o.raised == raised]
    if len(where) <= tried / 2:
        return None
    step, place = (_most_common(getattr(o, name) for o in where) for name in ("operation", "place"))
    return Diagnosis(
        "observed",
        "raises",
        f"{step} raises {raised}" + f" ({place})" * bool(place),
        figure=f"{len(where)} of {tried} layers that were tried ended so",
        remedy="if the layer is driven by an adapter, `conformance smoke` goes through its steps",
    )


def _most_common(texts: Iterable[str]) -> str:
    return Counter(texts).most_common(1)[0][0]
