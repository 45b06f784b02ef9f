"""The line that gives an array a wrong initial value."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from conformance.adapters.operations.executor import ExecutorLost
from conformance.diagnosis.approximate import exact
from conformance.diagnosis.lines.expressions import read_place
from conformance.diagnosis.lines.line import Line, make_initial_line
from conformance.diagnosis.lines.steps import Wrong
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.prediction import Predictor, error_ratios
from conformance.diagnosis.scopes import Part
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.subject import Subject

_LABEL = "reading the source"


def find_initial(subject: Subject, others: tuple[Part, ...], evidence: Evidence) -> Line | None:
    """Return the statement that assigns an array of which the initial value is wrong.

    Args:
        subject: The implementation.
        others: The mistakes that are made besides.
        evidence: The calls, and the layers that were only constructed.
    """
    deviant = (evidence.observations[at] for at in evidence.deviant)
    made = next((each for each in deviant if each.call is None and each.after is not None), None)
    if made is None or made.after is None or not subject.implementation.nnx_module:
        return None
    right = Predictor(others, subject.conventions).one(made) or {}
    arrays = made.after.arrays()
    found = {name: exact(np.asarray(arrays[name], np.float64)) for name in right if name in arrays}
    wrong = [n for n, each in error_ratios(right, found).items() if each.max(initial=0) > 1]
    with suppress(ViolationFound, ExecutorLost):
        layer = subject.build(made.config)
        for name in wrong:
            place = read_place(layer.ask("locate_initial", name, label=_LABEL))
            if place is None:
                continue
            got, expected = found[name].value, right[name].value
            index = int(np.argmax(np.abs(got - expected)))
            wrong_value = Wrong(name, exact(got), (index,), float(expected[index]))
            named = subject.implementation.name
            return make_initial_line(place, named, made, wrong_value, float(got[index]))
    return None
