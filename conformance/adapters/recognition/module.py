"""Recognizes an ``nnx.Module`` class, or another callable that returns a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.adapters.errors import AdapterError
from conformance.adapters.recognition.arrays import (
    has_feature_axis,
)
from conformance.adapters.recognition.building import label_of, make_specimen
from conformance.adapters.recognition.callables import GUIDE
from conformance.adapters.recognition.conclusion import Recognized
from conformance.adapters.recognition.constructor import OTHER_WIDTH, WIDTH, Plan, propose_plans
from conformance.adapters.recognition.effects import explain_square
from conformance.adapters.recognition.examination import Examination
from conformance.adapters.recognition.mode_choice import list_modes
from conformance.adapters.recognition.ranks import Failures, find_fit
from conformance.adapters.recognition.shapes import match_known_shape
from conformance.adapters.recognition.signature import read_signature
from conformance.adapters.recognition.specimen import Specimen, value_of


def recognize_module(name: str, found: Callable[..., Any]) -> Recognized:
    """Return how a class is constructed and called, and where its arrays are.

    Args:
        name: What the user typed, for messages.
        found: The class, or another callable that returns a module.

    Raises:
        AdapterError: It cannot be found out; the message says what was tried, and the line of
            Python that decides.
    """
    signature = read_signature(found)
    failures: Failures = {}
    for plan in propose_plans(name, found):
        specimen = make_specimen(plan)
        if not _has_arrays(plan, specimen):
            failures[f"built as {plan}, no array has as many numbers as there are features"] = []
            continue
        fit = find_fit(specimen, list_modes(specimen.module), failures)
        if fit is not None:
            examination = Examination(name, plan, signature, specimen, fit)
            if fit.is_square and match_known_shape(plan, specimen.module) is None:
                raise AdapterError(explain_square(name, specimen, fit, failures))
            return examination.conclude()
        known = match_known_shape(plan, specimen.module)
        if known is not None:  # the layer's fault, to be judged
            roles = {role: own for role, own in known.roles.items() if role != own}
            return Recognized(
                label=label_of(name),
                given={**plan.list_unusual(), **roles},
                kind=known.kind,
                reasons=(f"No call works: {next(iter(failures))}.",),
            )
    raise AdapterError(_explain_failure(name, failures))


def _has_arrays(plan: Plan, specimen: Specimen) -> bool:
    """Whether an array follows the width, or the module has the names of a known shape."""
    if match_known_shape(plan, specimen.module) is not None:
        return True
    other = make_specimen(plan, features=OTHER_WIDTH).holders()
    return any(
        has_feature_axis(np.shape(value_of(holder)), WIDTH)
        and path in other
        and has_feature_axis(np.shape(value_of(other[path])), OTHER_WIDTH)
        for path, holder in specimen.holders().items()
    )


def _explain_failure(name: str, failures: Failures) -> str:
    tried = "".join(
        f"\n  x of shape {', '.join(map(str, dict.fromkeys(shapes)))}: {problem}"
        if shapes
        else f"\n  {problem}"
        for problem, shapes in failures.items()
    )
    return (
        f"{name} could be built, but no call of it works.{tried}\n  Say how it is called: "
        f'Implementation.nnx({label_of(name)}, flag=…, layout="last" or "first", ndim=…), and run '
        f"that object instead. {GUIDE}"
    )
