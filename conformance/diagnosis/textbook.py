"""The steps of the textbook, each a function of the model and of what the step is given.

What an implementation declares (see ``conventions``) is part of its textbook: no mistake.
"""

from __future__ import annotations

# Every step takes all that its place in the model hands over; names say what the oracle says.
# ruff: noqa: ARG001, D103
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64, arranged, exact, root
from conformance.numerics import bounds, conventions
from conformance.numerics.bounds import Accuracy, U
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation

if TYPE_CHECKING:
    from conformance.diagnosis.reference_model import Model, Pair, Steps


class RaisesError(Exception):
    """What a step raises to say that the call ends in an exception."""


def forward(m: Model, seed: Any, x: Any, flag: Any) -> Approximate:
    """Apply a fresh layer and return its result flat."""
    m.hold(m.do("start"))
    m.count = 0 if conventions.counts() else None
    y: Approximate = m.do("flat", m.call(x, flag))
    return y


def flat(m: Model, y: Approximate) -> Approximate:
    return arranged(np.ravel, y)


def evaluates(m: Model, flag: Any) -> bool:
    return bool(conventions.evaluates(flag))


def given_input(m: Model, x: Any) -> Approximate:
    return exact(x)


def refuse_single_row(rows: int) -> None:
    """Raise what a training call on N = 1 raises, where that is declared."""
    if rows == 1 and conventions.follows(Deviation.SINGLE_ROW_REFUSED):
        raise RaisesError


def train(m: Model, x: Approximate) -> Approximate:
    refuse_single_row(x.shape[0])
    mean, var = m.do("statistics", x)
    used = m.do("used", x, mean, var)
    m.do("update", x, *m.do("stored", x, mean, var))
    if conventions.normalises_with_average():
        used = m.running_mean, m.running_var
    y: Approximate = m.do("output", x, *used)
    return y


def evaluate(m: Model, x: Approximate) -> Approximate:
    y: Approximate = m.do("output", x, *m.do("evaluated", x))
    return y


def statistics(m: Model, x: Approximate) -> Pair:
    mean = m.do("mean", x)
    return mean, m.do("var", x, mean)


def mean_of(m: Model, x: Approximate) -> Approximate:
    """Return μ with the bound of any order of summation, plus what x itself is off by."""
    known = _known(x.value, m.accuracy)
    error = np.where(np.isfinite(known.mean), known.mean_error + x.error.mean(axis=0), 0)
    return Approximate(known.mean, 1.05 * error)


def var_of(m: Model, x: Approximate, mean: Approximate) -> Approximate:
    """Return mean((x−mean)²) around a mean that a mistake may have moved."""
    known = _known(x.value, m.accuracy)
    var = np.square(x.value - mean.value).mean(axis=0)
    moved = np.abs(mean.value - known.mean)
    excess = np.maximum(mean.error, x.error.mean(axis=0))
    more = 2 * moved * excess + x.shape[0] * U * np.abs(var)
    more = more + 2 * np.sqrt(known.var) * x.error.max(axis=0)
    return Approximate(var, np.where(np.isfinite(var), known.var_error + more, 0))


class _Known(NamedTuple):
    mean: Float64
    var: Float64
    mean_error: Float64
    var_error: Float64


def _known(x: Float64, accuracy: Accuracy) -> _Known:
    return _computed_once(x.tobytes(), x.shape, accuracy)


@lru_cache(maxsize=512)
def _computed_once(raw: bytes, shape: tuple[int, ...], accuracy: Accuracy) -> _Known:
    """Return what depends on the batch alone: the same few batches come again and again."""
    x = np.frombuffer(raw, np.float64).reshape(shape)
    mean = x.mean(axis=0)
    var = np.square(x - mean).mean(axis=0)
    return _Known(mean, var, bounds.mean_error(x), bounds.statistics(x, accuracy)[1].allowed)


def used(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> Pair:
    return mean, var


def stored(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> Pair:
    share = conventions.share_stored(x.shape[0])
    return mean, var if share == 1 else share * var


def evaluated(m: Model, x: Approximate) -> Pair:
    return m.running_mean, m.running_var


def update(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> None:
    moved = m.do("moved_mean", m.running_mean, mean), m.do("moved_var", m.running_var, var)
    m.running_mean, m.running_var = (m.do("saved", value) for value in moved)


def moved(m: Model, old: Approximate, new: Approximate, kept: float | None = None) -> Approximate:
    """Return one step of the moving average, in either of its two forms."""
    kept = m.do("kept") if kept is None else kept
    size = np.maximum(np.abs(old.value), np.abs(new.value))
    value = kept * old.value + (1 - kept) * new.value
    error = abs(kept) * old.error + abs(1 - kept) * new.error
    finite = np.where(np.isfinite(size), size, 0)
    error = error + bounds.averaging_error(m.momentum, finite, U, m.count)
    return Approximate(value, np.where(size > conventions.largest_stored(), np.inf, error))


def moved_statistic(m: Model, old: Approximate, new: Approximate) -> Approximate:
    result: Approximate = m.do("moved", old, new)
    return result


def kept(m: Model) -> float:
    return conventions.weight_of_old(m.momentum, m.count)


def saved(m: Model, value: Approximate) -> Approximate:
    return value


def output(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> Approximate:
    y: Approximate = m.do("finished", m.do("affine", m.do("normalized", x, mean, var)))
    return y


def normalized(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> Approximate:
    """Return z; x·s − μ·s is a correct form, too, and rounds both products."""
    r = m.do("inverse_std", var)
    z = (x - mean) * r
    fused = U * np.abs(r.value) * (2 * np.abs(x.value) + 3 * np.abs(mean.value))
    return Approximate(z.value, z.error + np.where(np.isfinite(fused), fused, 0))


def inverse_std(m: Model, var: Approximate) -> Approximate:
    return 1 / root(raised(var, m.do("epsilon")))


def raised(var: Approximate, eps: float | Float64) -> Approximate:
    """Return var + eps; no error is claimed for an infinite or undefined variance."""
    value = var.value + eps
    error = np.where(np.isinf(var.error), np.inf, var.error + U * np.abs(value))
    return Approximate(value, np.where(np.isfinite(value), error, 0))


def epsilon(m: Model) -> float:
    return m.eps


def affine(m: Model, z: Approximate) -> Approximate:
    """Return γ·z + β; in 16 bits z, γ, β, the product and the sum may be rounded to them."""
    scale, shift = m.do("scale"), m.do("shift")
    y: Approximate = scale * z + shift
    if not conventions.output_roundoff():
        return y
    gamma, beta = np.abs(scale.value), np.abs(shift.value)
    narrow = bounds.narrow_error(z.value, gamma, beta, y.value)
    error = y.error + np.where(np.isfinite(narrow), narrow, 0)
    beyond = bounds.may_overflow(z.value, gamma, beta, error)
    return Approximate(y.value, np.where(beyond, np.inf, error))


def scale(m: Model) -> Approximate:
    return m.gamma


def shift(m: Model) -> Approximate:
    return m.beta


def finished(m: Model, y: Approximate) -> Approximate:
    return y


def start(m: Model) -> dict[str, Approximate]:
    """Return the four arrays of a fresh layer by name."""
    fresh = State.fresh(m.config.features).arrays()
    return {name: Approximate(array) for name, array in fresh.items()}


def input_afterwards(m: Model, x: Float64) -> Float64:
    """Return what the caller's own array holds after the call."""
    return x


TEXTBOOK: Steps = {
    "forward": forward,
    "flat": flat,
    "evaluates": evaluates,
    "input": given_input,
    "train": train,
    "evaluate": evaluate,
    "statistics": statistics,
    "mean": mean_of,
    "var": var_of,
    "used": used,
    "stored": stored,
    "evaluated": evaluated,
    "update": update,
    "moved": moved,
    "moved_mean": moved_statistic,
    "moved_var": moved_statistic,
    "kept": kept,
    "saved": saved,
    "output": output,
    "normalized": normalized,
    "inverse_std": inverse_std,
    "epsilon": epsilon,
    "affine": affine,
    "scale": scale,
    "shift": shift,
    "finished": finished,
    "start": start,
    "input_afterwards": input_afterwards,
}
"""Every step by name. γ and β are ``scale`` and ``shift``; ε is ``epsilon``; m is ``kept``."""
