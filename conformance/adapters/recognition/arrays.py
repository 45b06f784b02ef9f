"""Finds the four arrays of a module: by name, by how the output responds, by type and value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flax import nnx

from conformance.adapters.array_parts import last_name
from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS
from conformance.adapters.recognition.constructor import WIDTH
from conformance.adapters.recognition.effects import Chosen, make_batch
from conformance.adapters.recognition.ranks import Fit
from conformance.adapters.recognition.specimen import Specimen, find_attribute, value_of
from conformance.adapters.synonyms import OTHER_FORMS, normalize, role_of


class AmbiguousError(Exception):
    """Two attributes may both be the same array.

    Attributes:
        role: The name of the array in ``ARRAYS``.
        paths: The two attributes.
    """

    def __init__(self, role: str, *paths: str) -> None:
        super().__init__(f"{role} may be {' or '.join(paths)}")
        self.role, self.paths = role, paths

    def list_readings(self, holders: Iterable[str]) -> Iterator[dict[str, str]]:
        """Yield the two readings, each with the arrays beside its attribute.

        Args:
            holders: The attributes with arrays.
        """
        for path in self.paths:
            owner, dot, _ = path.rpartition(".")
            beside = [each for each in holders if each.rpartition(".")[:2] == (owner, dot)]
            found = {role_of(last_name(each)): each for each in beside}
            found[self.role] = path
            yield {role: found[role] for role in ARRAYS if role in found}


@dataclass
class Located:
    """Where the arrays of a module are.

    Attributes:
        roles: Attributes by the names in ``ARRAYS``; absent arrays are left out.
        extra: Variables with further state.
        reasons: Why, for each array.
        other_form: A statistic of which name and effect say that it is not a variance, such as a
            standard deviation.
    """

    roles: dict[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    reasons: list[str] = field(default_factory=list)
    other_form: str = ""


def has_feature_axis(shape: tuple[int, ...], features: int) -> bool:
    """Whether an array holds one number per feature along one axis, and all others are 1."""
    return [size for size in shape if size != 1] == [features]


def locate_arrays(specimen: Specimen, fit: Fit, chosen: Chosen) -> Located:
    """Return where the four arrays are.

    Raises:
        AmbiguousError: Two attributes fit equally well.
    """
    holders = specimen.holders()
    fitting = [
        p for p, each in holders.items() if has_feature_axis(np.shape(value_of(each)), WIDTH)
    ]
    named: dict[str, list[str]] = {role: [] for role in ARRAYS}
    for path in fitting:
        role = _role_by_owner(path, fitting) or role_of(last_name(path))
        if role is not None:
            named[role].append(path)
    located = Located()
    unnamed = [path for path in fitting if not any(path in paths for paths in named.values())]
    needs_effect = any(len(each) > 1 for each in named.values())
    needs_effect |= bool(unnamed) and not all(named.values())
    responses = respond(specimen, fit, chosen, fitting) if needs_effect else {}
    for role in ARRAYS:
        _take_named(located, role, named[role], responses)
    taken = set(located.roles.values())
    for path in unnamed:
        role, why = _guess_role(path, holders[path], responses, chosen)
        if role and role not in located.roles and path not in taken:
            if role == "running_var" and path not in responses and normalize(path) in OTHER_FORMS:
                located.other_form = path
            located.roles[role] = path
            located.reasons.append(f"{role} is {path}, by {why}")
    _take_misshapen(located, holders, fitting)
    return add_extra(specimen, located)


def _role_by_owner(path: str, paths: list[str]) -> str:
    """Return which statistic an array is by the name of what holds it, if others share its own."""
    owner, _, name = path.rpartition(".")
    alike = [each for each in paths if each.rpartition(".")[2] == name]
    words = {"running_mean": "mean", "running_var": "var"}
    found = [role for role, word in words.items() if word in normalize(owner.rpartition(".")[2])]
    return found[0] if len(alike) == len(STATISTICS) and len(found) == 1 else ""


def _take_named(
    located: Located, role: str, paths: list[str], responses: Mapping[str, str]
) -> None:
    if len(paths) > 1:
        confirmed = [path for path in paths if responses.get(path) == role]
        paths = confirmed or sorted(paths, key=lambda path: (path.count("."), path))
        if len(confirmed) > 1 or (not confirmed and paths[0].count(".") == paths[1].count(".") > 0):
            raise AmbiguousError(role, paths[0], paths[1])
    if paths:
        located.roles[role] = paths[0]
        located.reasons.append(f"{role} is {paths[0]}, by its name")


def _take_misshapen(located: Located, holders: Mapping[str, Any], fitting: list[str]) -> None:
    """Take arrays of a known name that do not hold D numbers: that is the layer's fault."""
    for path, holder in holders.items():
        role = role_of(last_name(path))
        is_array = isinstance(holder, nnx.Variable) and np.size(value_of(holder)) <= WIDTH
        if role and role not in located.roles and path not in fitting and is_array:
            located.roles[role] = path
            shape = np.shape(value_of(holder))
            located.reasons.append(f"{role} is {path}, by its name, although its shape is {shape}")


def _guess_role(
    path: str, holder: Any, responses: Mapping[str, str], chosen: Chosen
) -> tuple[str, str]:
    """Return the role of an array whose name is not known, and the evidence."""
    if path in responses:
        return responses[path], "how the output responds to it"
    ones = bool(np.mean(np.abs(np.asarray(value_of(holder)) - 1)) < 0.5)
    moves = path in chosen.train.moved or path in chosen.evaluate.moved
    if moves or not isinstance(holder, nnx.Param):
        why = "what moves in training" if moves else "its type"
        return ("running_var" if ones else "running_mean"), f"{why} and its initial value"
    return ("gamma" if ones else "beta"), "its type and initial value"


def respond(specimen: Specimen, fit: Fit, chosen: Chosen, paths: list[str]) -> dict[str, str]:
    """Return the roles that the output of an evaluation call shows when arrays are written.

    From γ = 1, β = 0, rm = 0 and rv = 1: a γ of 4 multiplies y by 4, an rv of 4 halves it, a β of
    1 adds 1, and an rm of 1 subtracts about 1.
    """
    holders, x = specimen.holders(), make_batch(fit)
    calling = fit.with_layout(chosen.mode)
    arrays = {path: np.asarray(value_of(holders[path]), np.float32) for path in paths}
    neutral = {p: np.full_like(a, np.round(np.clip(a.mean(), 0, 1))) for p, a in arrays.items()}

    def call(values: Mapping[str, np.ndarray]) -> np.ndarray:
        return fit.gather(specimen.run(calling, x, evaluate=True, values=values).y)

    found: dict[str, str] = {}
    try:
        base = call(neutral)
        for path, value in neutral.items():
            one = bool(value.flat[0] == 1)
            other = call({**neutral, path: np.full_like(value, 4 if one else 1)})
            found[path] = _read_response(base, other, one)
    except Exception:  # noqa: BLE001  a call may raise anything
        return {}
    return {path: role for path, role in found.items() if role}


def _read_response(base: np.ndarray, other: np.ndarray, one: bool) -> str:
    with np.errstate(all="ignore"):
        if one:
            ratio = float(np.median(other / base))
            near = {"gamma": 4.0, "running_var": 0.5}
        else:
            ratio = float(np.median(other - base))
            near = {"beta": 1.0, "running_mean": -1.0}
            if not np.any(base) and np.std(other) > 0.1:
                return "gamma"
    return next((role for role, value in near.items() if abs(ratio - value) < 0.1), "")


def add_extra(specimen: Specimen, located: Located) -> Located:
    """Add the Variables that are none of the arrays, unless they are trained."""
    taken = {id(find_attribute(specimen.module, path)) for path in located.roles.values()}
    located.extra = tuple(
        path
        for path, holder in specimen.holders().items()
        if id(holder) not in taken and isinstance(holder, nnx.Variable)
        if not isinstance(holder, nnx.Param)
    ) + tuple(_list_streams(specimen.module))
    return located


def _list_streams(module: Any) -> Iterator[str]:
    """Yield the paths of the states of random streams that a module keeps."""
    for path, each in nnx.iter_graph(module):
        if isinstance(each, nnx.RngState):
            yield ".".join(map(str, path))


def find_rows(specimen: Specimen, located: Located, chosen: Chosen) -> frozenset[str]:
    """Return the arrays whose rows are the arrays that were not found, if there are any."""
    holders = specimen.holders()
    moved = chosen.train.moved
    found: set[str] = set()
    for pair, among in ((STATISTICS, moved), (PARAMETERS, holders.keys() - moved)):
        if not any(role in located.roles for role in pair):
            found |= {path for path in among if is_stacked(value_of(holders[path]), WIDTH)}
    return frozenset(found)


def is_stacked(value: Any, features: int) -> bool:
    """Whether an array holds two numbers per feature, in a row each."""
    return bool(np.shape(value) == (2, features))


def find_stacked(
    specimen: Specimen, located: Located, chosen: Chosen
) -> tuple[str, tuple[int, ...]] | None:
    """Return the array with both running statistics of a layer that has none by itself."""
    if any(role in located.roles for role in STATISTICS):
        return None
    holders = specimen.holders()
    shapes = {path: np.shape(value_of(holders[path])) for path in chosen.train.moved}
    sizes = sorted((len(STATISTICS), WIDTH))
    stacked = (each for each in shapes.items() if sorted(s for s in each[1] if s != 1) == sizes)
    return next(stacked, None)


def check_statistics(located: Located) -> str:
    """Return which of the two statistics is missing where the other is there, or nothing."""
    there = [role for role in STATISTICS if role in located.roles]
    return "" if len(there) != 1 else next(r for r in STATISTICS if r not in located.roles)
