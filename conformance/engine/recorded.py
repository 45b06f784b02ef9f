"""Judges a layer on recorded tensors: one case from a file instead of generated ones."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapters.protocols import ARRAYS, Config
from conformance.numerics.operands import (
    LARGEST_FACTOR,
    LARGEST_VARIANCE,
    LARGEST_X,
    as_rows,
    as_vector,
    check_eps,
    check_momentum,
    check_rows,
    cotangent_rows,
)
from conformance.numerics.state import Float32, State
from conformance.requirements.verdict import Outcome, Verdict
from conformance.strategies.case import Case
from conformance.strategies.codec import encode
from conformance.strategies.cotangents import Pulled

Judge = Callable[[Mapping[str, Any] | None], Verdict]

_GRADIENTS = ("BN-GRAD-1", "BN-GRAD-2", "BN-GRAD-3", "BN-GRAD-4")
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "BN-TRAIN-1": {},
    "BN-EMA-1": {},
    "BN-EMA-2": {},
    "BN-EVAL-1": {},
    "BN-EVAL-5": {},
    "BN-FLAG-3": {},
    "BN-SHAPE-3": {},
    "BN-FWD-1": {"flag": 0, "container": 0},
    "BN-FWD-2": {},
    "BN-FWD-3": {},
    "BN-JIT-1": {"evaluate": 0},
    "BN-GRAD-1": {"evaluate": 0},
    "BN-GRAD-2": {"evaluate": 0},
    "BN-GRAD-3": {},
    "BN-GRAD-4": {},
}
"""The requirements that are about any case, with their arguments besides the case."""

JUDGED = tuple(_ARGUMENTS)
"""The requirements that recorded tensors are judged by."""

KEYS = ("x", *ARRAYS, "momentum", "eps", "cotangent", "axis")
"""The arrays of a file; x is needed."""

_ATTEMPTS = 12
"""Smaller cases that are tried, at most; each may be compiled."""


class RecordedError(ValueError):
    """A file of recorded tensors cannot be used; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A recorded case, and the cotangent of y, (N, D)."""

    case: Case
    w: Float32

    def values(self, requirement: str) -> dict[str, Any]:
        """Return the encoded arguments of the property of a requirement."""
        if requirement in _GRADIENTS:
            drawn: Any = {"drawn": Pulled(self.case, self.w, eager=False)}
        else:
            drawn = {"case": self.case}
        return {name: encode(value) for name, value in (drawn | _ARGUMENTS[requirement]).items()}

    def judge(self, requirement: str, judge: Judge) -> Verdict:
        """Return the verdict on a requirement, with a violation on as few numbers as are found.

        Args:
            requirement: Its id.
            judge: Returns the verdict on an encoded case.
        """
        smallest, verdict, tried = self, judge(self.values(requirement)), 0
        while verdict.outcome is Outcome.VIOLATES and tried < _ATTEMPTS:
            for candidate in smallest.smaller(verdict):
                tried += 1
                found = judge(candidate.values(requirement))
                if found.outcome is Outcome.VIOLATES:
                    smallest, verdict = candidate, found
                    break
            else:
                return verdict
        return verdict

    def smaller(self, verdict: Verdict) -> list[Recorded]:
        """Return smaller cases that may violate as well: the feature shown, or halves of one."""
        rows, features = self.case.x.shape
        index = verdict.violation.finding.index if verdict.violation is not None else None
        if features > 1:
            chosen = index[-1] if index and index[-1] < features else 0
            return [self.part(slice(None), slice(chosen, chosen + 1))]
        halves = (slice(rows // 2), slice(rows // 2, None)) if rows > 1 else ()
        return [self.part(half, slice(None)) for half in halves]

    def part(self, rows: slice, features: slice) -> Recorded:
        """Return the case with some of the rows and features."""
        x, w = (np.ascontiguousarray(array[rows, features]) for array in (self.case.x, self.w))
        assert self.case.state is not None, "read_recorded gives one"  # noqa: S101
        config = replace(self.case.config, features=x.shape[1])
        return Recorded(Case(config, self.case.state.take(features), x), w)


def read_recorded(path: Path) -> Recorded:
    """Return the case in a file of ``numpy.savez``.

    Args:
        path: The file, with x, (N, D) or more axes, and what else is in ``KEYS``.

    Raises:
        RecordedError: It cannot be read, or has arrays that no case can have.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        why = error.strerror if isinstance(error, OSError) else "it has another format"
        msg = f"cannot be read as a file of numpy.savez: {why}"
        raise RecordedError(msg) from error
    unknown = sorted(set(arrays) - set(KEYS))
    if "x" not in arrays or unknown:
        wrong = f"has the unknown array {unknown[0]!r}" if unknown else "has no array 'x'"
        msg = f"{wrong}; known are {', '.join(KEYS)}"
        raise RecordedError(msg)
    try:
        return _recorded(arrays)
    except ValueError as error:
        raise RecordedError(str(error)) from error


def _recorded(arrays: Mapping[str, Any]) -> Recorded:
    axis = round(_scalar(arrays, "axis", -1.0))
    x = as_rows(arrays["x"], axis).astype(np.float32)
    check_rows(len(x))
    features = x.shape[1]
    momentum = check_momentum(_scalar(arrays, "momentum", 0.9))
    config = Config(
        features=features, momentum=momentum, eps=check_eps(_scalar(arrays, "eps", 1e-5))
    )
    largest = dict(zip(ARRAYS, (*(LARGEST_FACTOR,) * 2, LARGEST_X, LARGEST_VARIANCE), strict=True))
    given = {
        name: as_vector(name, arrays[name], features, largest[name]).astype(np.float32)
        for name in ARRAYS
        if name in arrays
    }
    if "running_var" in given and (given["running_var"] < 0).any():
        msg = f"running_var has {given['running_var'].min():g}: a variance is not negative"
        raise ValueError(msg)
    state = State.fresh(features).replace(**given)
    if "cotangent" in arrays:
        w = cotangent_rows(np.shape(arrays["x"]), arrays["cotangent"], axis).astype(np.float32)
    else:
        w = np.random.default_rng(0).standard_normal(x.shape, np.float32)
    return Recorded(Case(config, state, np.ascontiguousarray(x)), w)


def _scalar(arrays: Mapping[str, Any], name: str, default: float) -> float:
    value = np.asarray(arrays.get(name, default))
    if value.size != 1 or value.dtype.kind not in "fiu" or not math.isfinite(value.item()):
        msg = f"{name} = {value.tolist()!r}: expected one number"
        raise ValueError(msg)
    return float(value.item())
