"""Recognizes an ``nnx.Module`` class, or another callable that returns a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.adapters.errors import AdapterError
from conformance.adapters.recognition.arrays import (
    has_feature_axis,
    is_stacked,
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

NO_CALL = "A call of it ended the process or did not return."
"""Why a module is not called again."""


def recognize_module(name: str, found: Callable[..., Any], *, by_names: bool = False) -> Recognized:
    """Return how a class is constructed and called, and where its arrays are.

    Args:
        name: What the user typed, for messages.
        found: The class, or another callable that returns a module.
        by_names: Read names only, and call no module: a call of it may not return.

    Raises:
        AdapterError: It cannot be found out; the message says what was tried, and the line of
            Python that decides.
    """
    signature = read_signature(found)
    failures: Failures = {}
    for plan in propose_plans(name, found):
        if by_names:
            if (read := _read_names(name, plan, plan.construct(WIDTH), NO_CALL)) is not None:
                return read
            continue
        specimen = make_specimen(plan)
        if not _has_arrays(plan, specimen):
            failures[_explain_arrays(plan, specimen)] = []
            continue
        fit = find_fit(specimen, list_modes(specimen.module), failures)
        if fit is not None:
            examination = Examination(name, plan, signature, specimen, fit)
            if fit.is_square and match_known_shape(plan, specimen.module) is None:
                raise AdapterError(explain_square(name, specimen, fit, failures))
            return examination.conclude()
        why = f"No call works: {next(iter(failures))}."
        if (read := _read_names(name, plan, specimen.module, why)) is not None:
            return read  # the layer's fault, to be judged
    raise AdapterError(_explain_failure(name, failures or {NO_CALL: []}))


def _read_names(name: str, plan: Plan, module: Any, why: str) -> Recognized | None:
    """Return the reading of a module that has the names of a known shape, or None."""
    known = match_known_shape(plan, module)
    if known is None:
        return None
    roles = {role: own for role, own in known.roles.items() if role != own}
    given = {**plan.list_unusual(), **roles}
    return Recognized(label=label_of(name), given=given, kind=known.kind, reasons=(why,))


def _has_arrays(plan: Plan, specimen: Specimen) -> bool:
    """Whether an array follows the width, or the module has the names of a known shape."""
    if match_known_shape(plan, specimen.module) is not None:
        return True
    other = make_specimen(plan, features=OTHER_WIDTH).holders()
    return any(
        path in other
        and all(
            has_feature_axis(np.shape(value_of(each)), width) or is_stacked(value_of(each), width)
            for each, width in ((holder, WIDTH), (other[path], OTHER_WIDTH))
        )
        for path, holder in specimen.holders().items()
    )


def _explain_arrays(plan: Plan, specimen: Specimen) -> str:
    shapes = {path: np.shape(value_of(each)) for path, each in specimen.holders().items()}
    found = ", ".join(f"{path} {shape}" for path, shape in shapes.items()) or "none"
    return f"built as {plan}, no array has one number for each of 3 features; its arrays: {found}"


def _explain_failure(name: str, failures: Failures) -> str:
    if all(not shapes and "its arrays: " in problem for problem, shapes in failures.items()):
        return (
            f"{name} could be built, but its arrays could not be found: "
            f"{'; '.join(failures)}. Gamma, beta and the running statistics need an array each, "
            "with D numbers along one axis. If several share one, or it has another form, write an "
            "adapter that takes it apart in read and write: Implementation(name=…, build=…). "
            f"{GUIDE}"
        )
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
