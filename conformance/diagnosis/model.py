"""A layer in float64 as a sequence of named steps, each of which an alternative may replace.

The steps are those of the textbook. Without replacements the model is the oracle; with one it
is a layer that makes exactly one mistake, and every consequence of it, such as wrong running
statistics after a wrong batch mean, comes without further code.

The model is told the state before each call as it was observed, so that calls are predicted one
by one; what a mistake remembers beyond the state is in ``memory``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from conformance import bounds
from conformance.bounds import Accuracy, U
from conformance.case import State
from conformance.diagnosis.approximate import Approximate, Float64, arranged, exact, root
from conformance.implementation import ARRAYS, Config

Step: TypeAlias = Callable[..., Any]
Steps: TypeAlias = Mapping[str, Step]
Pair: TypeAlias = tuple[Approximate, Approximate]


class RaisesError(Exception):
    """What a step raises to say that the mistake ends in an exception."""


@dataclass
class Model:
    """One layer whose steps are ``steps``, or the textbook's where there is no replacement.

    ``gamma`` to ``running_var`` are (D,) and hold the state; a call replaces them. ``flag`` is
    the flag as given, ``compiled`` whether the call is under jit, ``calls`` how many training
    calls of this layer came before, ``active``
    whether the mistake is made in this call, ``container`` how x was handed
    over, ``forwarding`` whether a forward function is called and not a layer.
    """

    config: Config
    accuracy: Accuracy
    steps: Steps = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    calls: int = 0
    flag: Any = False
    compiled: bool = False
    training: bool = True
    rows: int = 0
    active: bool = True
    container: str = "C"
    forwarding: bool = False
    gamma: Approximate = field(init=False)
    beta: Approximate = field(init=False)
    running_mean: Approximate = field(init=False)
    running_var: Approximate = field(init=False)

    def hold(self, state: State | Mapping[str, Approximate]) -> None:
        """Take over a state, exactly as it was observed."""
        arrays = state.arrays() if isinstance(state, State) else state
        for name, array in arrays.items():
            setattr(self, name, exact(array))

    def held(self) -> dict[str, Approximate]:
        """Return the four arrays by name."""
        return {name: getattr(self, name) for name in ARRAYS}

    @property
    def momentum(self) -> float:
        return self.config.momentum

    @property
    def eps(self) -> float:
        return self.config.eps

    def do(self, step: str, *given: Any) -> Any:
        """Perform a step: the replacement while the mistake is active, else the textbook's."""
        function = self.steps.get(step) if self.active else None
        return (function or TEXTBOOK[step])(self, *given)

    def call(self, x: Any, flag: Any, *, compiled: bool = False) -> Approximate:
        """Apply the layer to x, (N, D), and return y; the state moves."""
        self.flag, self.compiled, self.rows = flag, compiled, x.shape[0]
        self.training = not self.do("evaluates", flag)
        y: Approximate = self.do("train" if self.training else "evaluate", self.do("input", x))
        self.calls += self.training
        return y


def forward(m: Model, seed: Any, x: Any, flag: Any) -> Approximate:
    """Apply a fresh layer and return its result flat."""
    del seed
    m.hold(m.do("start"))
    return m.do("flat", m.call(x, flag))


def flat(m: Model, y: Approximate) -> Approximate:
    del m
    return arranged(np.ravel, y)


def evaluates(m: Model, flag: Any) -> bool:
    del m
    return bool(flag >= 0.5)


def given_input(m: Model, x: Any) -> Approximate:
    del m
    return exact(x)


def train(m: Model, x: Approximate) -> Approximate:
    mean, var = m.do("statistics", x)
    used = m.do("used", x, mean, var)
    m.do("update", x, *m.do("stored", x, mean, var))
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
    del m, x
    return mean, var


def stored(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> Pair:
    del m, x
    return mean, var


def evaluated(m: Model, x: Approximate) -> Pair:
    del x
    return m.running_mean, m.running_var


def update(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> None:
    del x
    moved = m.do("moved_mean", m.running_mean, mean), m.do("moved_var", m.running_var, var)
    m.running_mean, m.running_var = (m.do("saved", value) for value in moved)


def moved(m: Model, old: Approximate, new: Approximate, kept: float | None = None) -> Approximate:
    """Return one step of the moving average, in either of its two forms."""
    kept = m.do("kept") if kept is None else kept
    size = np.maximum(np.abs(old.value), np.abs(new.value))
    value = kept * old.value + (1 - kept) * new.value
    error = abs(kept) * old.error + abs(1 - kept) * new.error
    return Approximate(value, error + 5 * U * np.where(np.isfinite(size), size, 0))


def moved_statistic(m: Model, old: Approximate, new: Approximate) -> Approximate:
    result: Approximate = m.do("moved", old, new)
    return result


def kept(m: Model) -> float:
    return m.momentum


def saved(m: Model, value: Approximate) -> Approximate:
    del m
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
    y: Approximate = m.do("scale") * z + m.do("shift")
    return y


def scale(m: Model) -> Approximate:
    return m.gamma


def shift(m: Model) -> Approximate:
    return m.beta


def finished(m: Model, y: Approximate) -> Approximate:
    del m
    return y


def start(m: Model) -> dict[str, Approximate]:
    """Return the four arrays of a fresh layer by name."""
    fresh = State.fresh(m.config.features).arrays()
    return {name: Approximate(array) for name, array in fresh.items()}


def input_afterwards(m: Model, x: Float64) -> Float64:
    """Return what the caller's own array holds after the call."""
    del m
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
