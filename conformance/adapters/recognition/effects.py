"""What a mode does, judged by what moves and by what the output follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.adapters.calling import Layout
from conformance.adapters.recognition.mode_choice import NO_MODE, Mode, invert
from conformance.adapters.recognition.ranks import SHAPES, Failures, Fit
from conformance.adapters.recognition.specimen import Specimen, value_of

MEANS = np.array([8.0, -5.0, 3.0])
DEVIATIONS = np.array([1.5, 0.5, 2.0])


def make_rows(count: int) -> np.ndarray:
    """Return rows, (N, 3), whose columns have different means and variances."""
    steps = np.arange(count)[:, None]
    pattern = np.cos(steps * np.array([1.7, 2.9, 4.3]) + np.arange(3))
    pattern = np.where(pattern > 0.5, pattern * 2, pattern)  # not symmetric about its mean
    pattern = (pattern - pattern.mean(0)) / pattern.std(0)
    rows: np.ndarray = (pattern * DEVIATIONS + MEANS).astype(np.float32)
    return rows


def make_batch(fit: Fit) -> np.ndarray:
    """Return rows in the shape of a layout."""
    return fit.spread(make_rows(int(np.prod(fit.shape)) // 3))


@dataclass(frozen=True, slots=True)
class Effect:
    """What one call did.

    Attributes:
        moved: The arrays that it changed.
        by_batch: The output is centred, as one that is normalized with its batch.
        failure: It raised.
    """

    moved: frozenset[str]
    by_batch: bool
    failure: bool = False

    @property
    def trains(self) -> bool:
        """Whether it does what a training call does."""
        return bool(self.moved) or self.by_batch


def observe(specimen: Specimen, fit: Fit, mode: Mode, *, evaluate: bool) -> Effect:
    """Call a module as new, and return what happened."""
    try:
        result = specimen.run(fit.with_layout(mode), make_batch(fit), evaluate=evaluate)
    except Exception:  # noqa: BLE001  a call may raise anything
        return Effect(frozenset(), by_batch=False, failure=True)
    return Effect(_find_moved(specimen, result.after), _is_centred(fit, result.y))


def _find_moved(specimen: Specimen, after: Mapping[str, Any]) -> frozenset[str]:
    before = {path: np.asarray(value_of(each)) for path, each in specimen.holders().items()}
    return frozenset(
        path
        for path, old in before.items()
        if path in after and not np.array_equal(after[path], old, equal_nan=old.dtype.kind == "f")
    )


def _is_centred(fit: Fit, y: np.ndarray) -> bool:
    if y.shape != fit.shape:
        return False
    return bool(np.all(np.abs(fit.gather(y).mean(0)) < 0.05 * np.abs(MEANS)))


@dataclass(frozen=True, slots=True)
class Chosen:
    """The way to choose the mode, and what it does.

    Attributes:
        mode: How the mode is chosen.
        train: What a training call did.
        evaluate: What an evaluation call did.
        reason: Why this way.
    """

    mode: Mode
    train: Effect
    evaluate: Effect
    reason: str


def choose_mode(specimen: Specimen, fit: Fit) -> Chosen:
    """Return the way to choose the mode: a known name first, if it has an effect.

    A known name whose effect is the opposite is believed: that is the layer's fault. So is an
    argument of the call that an attribute of the same name overrides, and one that does not change
    all that it should.
    """
    known = [mode for mode in fit.modes if mode.known and mode != NO_MODE]
    named = [_observe_both(specimen, fit, mode) for mode in known]
    confirmed = [each for each in named if _is_confirmed(each)]
    opposite = [each for each in named if _is_opposite(each)]
    overridden = confirmed and _find_overridden(named, confirmed[0].mode)
    if overridden:
        reason = (
            f"{overridden.mode.words}, by its name, although the attribute of that name decides"
        )
        return replace(overridden, reason=reason)
    if confirmed:
        return replace(confirmed[0], reason=f"{confirmed[0].mode.words}, by its name and effect")
    partial = next((each for each in named if _is_partial(each)), None)
    if partial:
        return replace(
            partial, reason=f"{partial.mode.words}, by its name and a part of its effect"
        )
    if opposite:
        reason = f"{opposite[0].mode.words}, by its name, although its effect is the opposite"
        return replace(opposite[0], reason=reason)
    for mode in fit.modes:
        if not mode.known:
            found = _observe_both(specimen, fit, mode)
            if _is_opposite(found):
                swapped = invert(mode)
                found = replace(found, mode=swapped, train=found.evaluate, evaluate=found.train)
            if _is_confirmed(found):
                return replace(found, reason=f"{found.mode.words}, by its effect")
    if named:
        reason = f"{named[0].mode.words}, by its name, although no effect of it was seen"
        return replace(named[0], reason=reason)
    plain = _observe_both(specimen, fit, NO_MODE)
    return replace(plain, reason="nothing was found that changes what a call does")


def _find_overridden(named: Sequence[Chosen], mode: Mode) -> Chosen | None:
    """Return an argument of the call that has the name of the attribute that chooses the mode."""
    arguments = (each for each in named if f".{each.mode.calling.flag}" == mode.calling.flag)
    return next((each for each in arguments if not each.evaluate.failure), None)


def normalizes_all_axes(specimen: Specimen, layout: Layout, mode: Mode) -> bool:
    """Whether y is a linear function of x in each channel.

    Where no array moves, no shape shows that an axis is forgotten.
    """
    fit = Fit(layout, SHAPES[layout], (mode,), complete=True)
    x = make_batch(fit)
    try:
        y = fit.gather(specimen.run(fit.with_layout(mode), x, evaluate=False).y)
    except Exception:  # noqa: BLE001  a call may raise anything
        return False
    slopes = np.diff(y, axis=0) / np.diff(fit.gather(x), axis=0)
    return bool(np.all(np.abs(slopes - slopes[0]) < 1e-2 * np.abs(slopes[0])))


def _observe_both(specimen: Specimen, fit: Fit, mode: Mode) -> Chosen:
    train = observe(specimen, fit, mode, evaluate=False)
    evaluate = train
    if mode.calling.flag is not None:
        evaluate = observe(specimen, fit, mode, evaluate=True)
    return Chosen(mode, train, evaluate, "")


def _is_confirmed(found: Chosen) -> bool:
    return _trains_alone(found.train, found.evaluate)


def _is_opposite(found: Chosen) -> bool:
    return _trains_alone(found.evaluate, found.train)


def _is_partial(found: Chosen) -> bool:
    """Whether an argument of the call makes it do more in training than in evaluation.

    Evaluation may move statistics, or what a layer keeps besides.
    """
    flag, train, evaluate = found.mode.calling.flag, found.train, found.evaluate
    if flag is None or flag.startswith(".") or evaluate.failure:
        return False
    return (train.by_batch and not evaluate.by_batch) or train.moved > evaluate.moved


def _trains_alone(one: Effect, other: Effect) -> bool:
    """Whether one of two calls trains; what moves arrays does, whatever its output looks like."""
    if other.failure:
        return False
    if bool(one.moved) != bool(other.moved):
        return bool(one.moved)
    return one.trains and not other.trains


def explain_square(name: str, specimen: Specimen, fit: Fit, failures: Failures) -> str:
    """Return the message for a layer that takes batches with as many rows as features alone.

    Args:
        name: What the user typed.
        specimen: The module.
        fit: The shape that it takes.
        failures: The shapes that it does not take, by what happens.
    """
    chosen = choose_mode(specimen, fit)
    problem = next(iter(failures), "it fails").rpartition(" (")[0]
    message = (
        f"{name} can be called on a batch of shape {fit.shape} alone, with as many rows as "
        f"features; on another one, {problem.removesuffix('.')}."
    )
    x = make_batch(fit)
    after = specimen.run(fit.with_layout(chosen.mode), x, evaluate=False).after
    rows = fit.gather(x)
    for path in sorted(chosen.train.moved):
        ratios = after[path].ravel() / rows.mean(1) if after[path].size == len(rows) else rows
        if np.ptp(ratios) < 1e-3 * np.max(np.abs(ratios)):
            message += f" {path} follows the mean over the features, axis 1, not over the rows."
    if chosen.train == chosen.evaluate and chosen.train.trains:
        message += " Every call trains: there is no evaluation mode."
    return message
