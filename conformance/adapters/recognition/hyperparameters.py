"""Measures the weight of the old mean, ε, and the running variance's convention."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.adapters.calling import Calling
from conformance.adapters.protocols import MANY
from conformance.adapters.recognition.effects import Chosen, make_batch
from conformance.adapters.recognition.ranks import Fit
from conformance.adapters.recognition.specimen import Specimen, value_of

_MEAN = np.array([2.0, -1.0, 0.5], np.float32)
_VAR = np.array([0.5, 2.0, 3.0], np.float32)
_SPREAD = 1e-3


@dataclass(frozen=True, slots=True)
class Measured:
    """What calls show, or None where they show nothing consistent.

    Attributes:
        weight: The weight of the old mean.
        eps: ε.
        unbiased: The running variance follows v·N/(N−1).
        one_pass: The variance of a batch far from 0 is wrong, as in E[x²] − E[x]².
        carries_gradient: The updated running mean carries a gradient back to x.
        replaces: The first batch replaces the averages of a new module, whatever the weight is.
        debiased: So it does, because the averages are sums that are divided by 1 − mᵗ.
        count: The attribute with the number of updates on which the weight depends.
    """

    weight: float | None = None
    eps: float | None = None
    unbiased: bool = False
    one_pass: bool = False
    carries_gradient: bool = False
    replaces: bool = False
    debiased: bool = False
    count: str = ""


def measure(specimen: Specimen, fit: Fit, chosen: Chosen, roles: Mapping[str, str]) -> Measured:
    """Return what training and evaluation calls show about momentum and ε.

    Args:
        specimen: The module.
        fit: The layout of the input.
        chosen: How the mode is chosen.
        roles: Attributes by the names in ``ARRAYS``.
    """
    eps = _measure_eps(specimen, fit, chosen, roles)
    try:
        if "running_mean" in roles and chosen.train.moved:
            return replace(_measure_update(specimen, fit, chosen, roles), eps=eps)
    except Exception:  # noqa: BLE001, S110  a call may raise anything; then nothing is measured
        pass
    return Measured(eps=eps)


def _measure_update(
    specimen: Specimen, fit: Fit, chosen: Chosen, roles: Mapping[str, str]
) -> Measured:
    """Return what training calls show."""
    calling, x, path = fit.with_layout(chosen.mode), make_batch(fit), roles["running_mean"]
    values = _name_values(roles, running_mean=_MEAN, running_var=_VAR)

    def train(**counted: Any) -> dict[str, np.ndarray]:
        return specimen.run(calling, x, evaluate=False, values={**values, **counted}).after

    def weigh(**counted: Any) -> float | None:
        return _measure_weight(fit, x, train(**counted), roles)[0]

    count = _find_count(specimen, chosen, weigh)
    many = {count: np.asarray(MANY)} if count else {}
    after = train(**many)
    weight, unbiased = _measure_weight(fit, x, after, roles)
    fresh = specimen.run(calling, x, evaluate=False).after[path]
    copied = bool(np.allclose(fresh.ravel(), _statistics(fit, x)[0], rtol=1e-4))
    starts_over = copied and weight not in {None, 0.0} and not _is_one(weight)
    debiased = starts_over and bool(count) and _differs(weight, weigh(**{count: np.asarray(1)}))
    values |= many
    return Measured(
        weight=weight,
        unbiased=unbiased,
        one_pass=weight is not None and _loses_variance(specimen, calling, x, after, values, roles),
        carries_gradient=_carries_gradient(specimen, calling, x, path),
        replaces=starts_over and not debiased,
        debiased=debiased,
        count=count,
    )


def _find_count(specimen: Specimen, chosen: Chosen, weigh: Callable[..., float | None]) -> str:
    """Return the attribute that counts updates, if the weight of the old mean depends on it."""
    holders = specimen.holders()
    scalars = [path for path in chosen.train.moved if np.size(value_of(holders[path])) == 1]
    weight = weigh() if scalars else None
    return next((p for p in sorted(scalars) if _differs(weight, weigh(**{p: MANY}))), "")


def _carries_gradient(specimen: Specimen, calling: Calling, x: np.ndarray, path: str) -> bool:
    try:
        return specimen.is_traceable and specimen.carries_gradient(calling, x, path)
    except Exception:  # noqa: BLE001  a layer need not be differentiable
        return False


def _loses_variance(
    specimen: Specimen,
    calling: Calling,
    x: np.ndarray,
    near: Mapping[str, np.ndarray],
    values: Mapping[str, np.ndarray],
    roles: Mapping[str, str],
) -> bool:
    """Whether the variance of a batch is another one if the batch is moved away from 0."""
    moved = (x + np.float32(4096)).astype(np.float32)
    far = specimen.run(calling, moved, evaluate=False, values=values).after
    return not np.allclose(far[roles["running_var"]], near[roles["running_var"]], rtol=1e-2)


def _name_values(roles: Mapping[str, str], **values: Any) -> dict[str, np.ndarray]:
    neutral = {"gamma": np.ones(3, np.float32), "beta": np.zeros(3, np.float32)}
    return {roles[role]: value for role, value in {**neutral, **values}.items() if role in roles}


def _statistics(fit: Fit, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    rows = fit.gather(x)
    return rows.mean(0), rows.var(0), len(rows)


def _measure_weight(
    fit: Fit, x: np.ndarray, after: Mapping[str, np.ndarray], roles: Mapping[str, str]
) -> tuple[float | None, bool]:
    """Return the weight of the old averages, and whether the running variance is unbiased.

    The running mean shows it, or the running variance if a call leaves the mean as it was or
    moves it elsewhere.
    """
    mean, var, count = _statistics(fit, x)
    unbiased = var * count / (count - 1)
    new_var = after[roles["running_var"]].ravel()
    weight = _weight_between(_MEAN, mean, after[roles["running_mean"]].ravel())
    if weight is None or _is_one(weight):
        by_var = {
            follows: _weight_between(_VAR, target, new_var)
            for follows, target in ((False, var), (True, unbiased))
        }
        moved = [(w, follows) for follows, w in by_var.items() if w is not None and not _is_one(w)]
        return moved[0] if moved else (weight, False)
    target = (new_var - weight * _VAR) / (1 - weight)
    follows = np.allclose(target, unbiased, rtol=1e-3) and not np.allclose(target, var, rtol=1e-3)
    return weight, bool(follows)


def _weight_between(old: np.ndarray, batch: np.ndarray, new: np.ndarray) -> float | None:
    """Return the weight w of w·old + (1−w)·batch that is the same in all features, or None."""
    if new.shape != old.shape:
        return None
    weights = (new - batch) / (old - batch)
    return float(np.median(weights)) if np.ptp(weights) < _SPREAD else None


def _is_one(weight: float) -> bool:
    return abs(1 - weight) < 1e-6


def _measure_eps(
    specimen: Specimen, fit: Fit, chosen: Chosen, roles: Mapping[str, str]
) -> float | None:
    """Return ε from an evaluation with rv = 0, or from a batch of almost no variance."""
    calling = fit.with_layout(chosen.mode)
    evaluates = not chosen.evaluate.trains and "running_var" in roles
    zeros = np.zeros(3, np.float32)
    values = _name_values(roles, running_mean=zeros, running_var=zeros)
    rows = np.tile(np.where(np.arange(int(np.prod(fit.shape)) // 3) % 2, -1.0, 1.0), (3, 1)).T
    for size in (1e-3, 1e-5, 1e-6):
        x = fit.spread((rows * size).astype(np.float32))
        try:
            y = specimen.run(calling, x, evaluate=evaluates, values=values).y
        except Exception:  # noqa: BLE001  a call may raise anything
            return None
        eps = _solve_for_eps(fit.gather(x), fit.gather(y), evaluates=evaluates)
        if eps is not None and (evaluates or eps > 1e-2 * size**2):
            return eps
    return None


def _solve_for_eps(x: np.ndarray, y: np.ndarray, *, evaluates: bool) -> float | None:
    mean, var = (0.0, 0.0) if evaluates else (x.mean(0), x.var(0))
    with np.errstate(all="ignore"):
        found = ((x - mean) / y) ** 2 - var
    typical = float(np.median(found))
    if not np.isfinite(typical) or typical <= 0 or np.max(np.abs(found / typical - 1)) > 1e-2:
        return None
    return typical


def round_weight(weight: float) -> float:
    """Return the shortest decimal that a measured weight may be."""
    return next(
        (round(weight, k) for k in range(1, 7) if abs(round(weight, k) - weight) < 5e-6), weight
    )


def round_eps(eps: float) -> float:
    """Return the shortest decimal that a measured ε may be."""
    shortened = (float(f"{eps:.{digits}e}") for digits in range(4))
    return next((each for each in shortened if abs(each / eps - 1) < 5e-4), float(f"{eps:.3e}"))


def find_changing(
    candidates: Mapping[str, float],
    renew: Callable[[dict[str, float]], Specimen],
    measured: Measured,
    measure_again: Callable[[Specimen], Measured],
) -> dict[str, str]:
    """Return the arguments that change the weight of the old mean, and ε, by role.

    Args:
        candidates: Numeric arguments whose names say nothing, and another value for each.
        renew: Constructs a module with other arguments.
        measured: What is measured without them.
        measure_again: Measures a module.
    """
    found: dict[str, str] = {}
    for name, value in candidates.items():
        try:
            other = measure_again(renew({name: value}))
        except Exception:  # noqa: BLE001, S112  a constructor may refuse the value
            continue
        if _differs(measured.weight, other.weight):
            found.setdefault("momentum", name)
        elif _differs(measured.eps, other.eps):
            found.setdefault("eps", name)
    return found


def _differs(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) > 1e-3 * max(one, other)
