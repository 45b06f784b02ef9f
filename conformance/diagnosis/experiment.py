"""The inputs of the experiment: a few layers, each with a fixed series of calls.

Everything is deterministic, so that a diagnosis never changes between two runs. The shapes are
those of the palette, because a known shape costs a millisecond and a new one 0.3 s. Numbers have
full mantissas, so that rounding is visible; momentum is never ½, γ is rarely ±1, and N ≠ D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapters.protocols import Config
from conformance.diagnosis.numbers import batch_of, state_of
from conformance.numerics.state import Float32, State


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the experiment.

    Attributes:
        x: The batch, (N, D).
        flag: The flag, as it is passed.
        write: The state to write before the call; None leaves the state unchanged.
        compiled: Whether the call is under jit.
        container: The form in which x is passed: "C", another memory order, or "jax".
        seed: The seed of a forward function.
        cotangent: The cotangent of y, (N, D), where a gradient is computed.
        kind: "call", the "gradient" of Σ cotangent·y, the gradient "through" the running
            statistics, or the "update" that remains after a gradient.
        around: The lengths of the axes around the features, if there are several.
        axis: The feature axis among them.
        mode: The mode in which the module is put before: whether it evaluates; None for none.
    """

    x: Float32
    flag: Any
    write: State | None = None
    compiled: bool = False
    container: str = "C"
    seed: Any = 0.0
    cotangent: Float32 | None = None
    kind: str = "call"
    around: tuple[int, ...] = ()
    axis: int = -1
    mode: bool | None = None

    @property
    def training(self) -> bool:
        """Whether it is a training call."""
        return not self.flag >= 0.5


@dataclass(frozen=True, slots=True)
class Series:
    """A configuration, and the calls of one layer that is built with it."""

    config: Config
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Design:
    """One row of the table below; ``plan`` names the series of calls."""

    rows: int
    features: int
    momentum: float
    eps: float
    columns: str
    plan: str = "full"
    gamma: str = "varied"
    beta: str = "varied"


DECOY = Config(features=1, momentum=0.123, eps=0.0456)
"""The configuration of a second layer, built before the first call of each layer."""

DESIGNS = (
    Design(5, 3, 0.3, 1e-3, "shifted near normal"),
    Design(8, 2, 0.9, 1e-5, "normal near"),
    Design(3, 3, 0.75, 0.1, "normal shifted above"),
    Design(8, 8, 0.995, 1e-7, "shifted near constant large tiny far below zeros", "training-first"),
    Design(7, 5, 0.05, 0.2, "near normal below shifted above", "training-first"),
    Design(1, 2, 0.6, 3e-5, "normal huge"),
    Design(40, 4, 0.05, 1e-2, "outlier near large normal"),
    Design(2, 1, 0.0, 0.5, "normal"),
    Design(2, 1, 0.4, 1e-3, "near", "short"),
    Design(17, 3, 1.0, 1e-4, "shifted normal near"),
    Design(16, 2, 0.25, 1e-6, "above shifted", "training-first", gamma="ones"),
    Design(3, 2, 0.99993, 1e-9, "normal small", beta="zeros"),
    Design(3, 2, 0.0031, 20.0, "above large"),
    Design(3, 2, 0.72, 1e-13, "minute normal"),
    Design(4, 1, 0.6, 3e-5, "huge", "training-first"),
    Design(7, 5, 0.1, 1e-2, "normal nan shifted inf near", "poison"),
    Design(7, 5, 0.99, 0.1, "vast far constant integers tiny"),
    Design(3, 5, 0.85, 1e-4, "normal shifted near duplicated above"),
    Design(8, 2, 0.4, 1e-3, "duplicated shifted", "duplicated"),
    Design(7, 5, 0.6, 1e-2, "padded", "short"),
    Design(3, 3, 0.6, 1e-2, "nan normal inf", "poison"),
    Design(40, 4, 0.9, 1e-3, "far thousand zeros huge", "short"),
    Design(300, 3, 0.9, 1e-3, "shifted near outlier", "short"),
    Design(65, 40, 0.9, 1e-3, "normal shifted near above below", "short"),
    Design(1025, 1, 0.9, 1e-3, "shifted", "short"),
    Design(1, 257, 0.9, 1e-3, "normal shifted", "short"),
    Design(3, 3, 0.9, 1e-3, "shifted near normal", "compiled"),
    Design(7, 2, 0.3, 0.1, "near shifted", "compiled"),
    Design(5, 3, 0.3, 1e-3, "shifted near normal", "modes"),
)


_GRADIENTS = (
    Design(3, 3, 0.9, 1e-3, "shifted near normal", "short"),
    Design(7, 2, 0.3, 0.1, "near shifted", "full"),
    Design(13, 2, 0.0, 1e-6, "above far", "short"),
    Design(1, 2, 0.25, 1e-4, "normal shifted", "short"),
    Design(33, 1, 0.75, 1e-2, "shifted", "short"),
    Design(2, 1, 0.75, 1e-5, "constant", "short"),
    Design(40, 4, 0.9, 1e-3, "shifted normal near", "short"),
)


def layer_series() -> list[Series]:
    """Return the series for layers; those for modules alone come last."""
    return [_series(index, design) for index, design in enumerate(DESIGNS)]


def gradient_series() -> list[Series]:
    """Return the series for gradients, in which each call starts from a newly written state."""
    return [_gradients(3000 + index, design) for index, design in enumerate(_GRADIENTS)]


def _gradients(seed: int, design: Design) -> Series:
    rng = np.random.default_rng(seed)
    config = Config(features=design.features, momentum=design.momentum, eps=design.eps)
    calls = []
    for turn in range(3):
        x = batch_of(rng, design.columns.split(), design.rows, design.features, design.eps)
        state = _state(rng, seed + 3 * turn, design)
        w = rng.standard_normal(x.shape) * (1.0, 700.0, 0.3)[turn] + 0.4
        w32 = w.astype(np.float32)
        for flag in (False, True):
            calls.append(Call(x, flag, state, turn < 2, cotangent=w32, kind="gradient"))
        if design.plan == "full":
            calls.append(Call(x, False, state, cotangent=w32[:2], kind="through"))
            calls.append(Call(x, False, state, cotangent=w32, kind="update"))
            calls.append(Call(x, False, state, compiled=True, cotangent=w32, kind="update"))
    return Series(config, tuple(calls))


_RANKS = (((3,), 0), ((2, 3), 0), ((4, 3), 1), ((3, 2, 3), 1), ((2, 3), -1), ((2, 2, 3), -1))
"""Axes around three features, and the feature axis: often the last one is as long as D."""


def rank_series(*, last_only: bool) -> list[Series]:
    """Return the series for inputs with the features on another axis, or of more axes.

    Args:
        last_only: Whether the features are on the last axis of each.
    """
    chosen = [place for place in _RANKS if not last_only or place[1] == -1]
    return [_of_rank(4000 + index, *place) for index, place in enumerate(chosen)]


def _of_rank(seed: int, around: tuple[int, ...], axis: int) -> Series:
    rng = np.random.default_rng(seed)
    config = Config(features=3, momentum=0.3, eps=1e-3)
    calls = []
    for turn in range(2):
        x = batch_of(rng, ["shifted", "near", "normal"], int(np.prod(around)), 3, config.eps)
        state = state_of(rng, turn, 3, config.eps, ones=False, zeros=False)
        calls += [Call(x, flag, state, around=around, axis=axis) for flag in (False, True)]
    return Series(config, tuple(calls))


def forward_series() -> list[Series]:
    """Return the series for forward functions: flags, seeds, layouts, repetitions."""
    config = Config(features=0, momentum=0.9, eps=1e-5)
    shapes = ((5, 3), (2, 1), (3, 3), (1, 2), (8, 2), (3, 5))
    calls = [_forward_calls(100 + index, *shape) for index, shape in enumerate(shapes)]
    return [Series(config, tuple(call for of_shape in calls for call in of_shape))]


def _forward_calls(seed: int, rows: int, features: int) -> list[Call]:
    rng = np.random.default_rng(seed)
    names = ["shifted", "near", "normal", "small", "above"]
    x, other = (batch_of(rng, names, rows, features, 1e-5) for _ in range(2))
    flags: list[Any] = [1.0, 0.0, 1.0, 0.3, 0.5, 0.9, -1.0, 0.1, 2.0, 0.49, 0.51]
    flags += [True, False, 1, 0, np.True_, np.False_, np.float32(1), np.array(1.0), np.array(0)]
    calls = [Call(x if index < 4 else other, flag) for index, flag in enumerate(flags)]
    calls += [Call(other, flag, seed=given) for flag in (0.0, 1.0) for given in (3.0, 3.7)]
    layouts = ("F", "reversed", "strided", "jax")
    calls += [Call(other, flag, container=c) for flag in (0.0, 1.0) for c in layouts]
    return calls


def _series(index: int, design: Design) -> Series:
    rng = np.random.default_rng(1000 + index)
    names = design.columns.split()
    config = Config(features=design.features, momentum=design.momentum, eps=design.eps)

    def batch() -> Float32:
        return batch_of(rng, names, design.rows, design.features, design.eps)

    x, following = batch(), batch()
    states = [_state(rng, index + turn, design) for turn in range(2)]
    calls = _PLANS[design.plan](x, following, *states)
    return Series(config, tuple(calls))


def _full(x: Float32, following: Float32, state: State, other: State) -> list[Call]:
    return [Call(x, True), *_trained(x, following, state), *_rewritten(following, state, other)]


def _training_first(x: Float32, following: Float32, state: State, other: State) -> list[Call]:
    begun = [Call(x, False), Call(x, True)]
    return [*begun, *_trained(following, x, state), *_rewritten(following, state, other)]


def _trained(x: Float32, following: Float32, state: State) -> list[Call]:
    return [
        Call(x, True, state),
        Call(x, True),
        Call(x, False),
        Call(following, False),
        Call(following, np.False_),
        Call(x, 0),
        Call(x, 0.0, container="jax"),
        Call(following, True),
    ]


def _rewritten(x: Float32, state: State, other: State) -> list[Call]:
    affine = state.replace(gamma=other.gamma, beta=other.beta)
    return [
        Call(x, 1, affine),
        Call(x, np.True_, affine.replace(running_var=other.running_var)),
        Call(x, 1.0, other, container="F"),
        Call(x, False, other, container="F"),
        Call(x, False, other, container="F"),
        Call(x, True, other, container="reversed"),
    ]


def _short(x: Float32, following: Float32, state: State, other: State) -> list[Call]:
    return [Call(x, False, state), Call(following, True), Call(following, False, other)]


def _poison(x: Float32, following: Float32, state: State, other: State) -> list[Call]:
    return [Call(x, True, state), Call(x, False), Call(following, False, other)]


def _duplicated(x: Float32, following: Float32, state: State, other: State) -> list[Call]:
    """Return calls on batches whose first three rows are equal."""
    repeated, repeated_too = (batch[[0, 0, 0, *range(3, len(batch))]] for batch in (x, following))
    return _short(repeated, repeated_too, state, other)


def _compiled(x: Float32, following: Float32, state: State, other: State) -> list[Call]:
    return [
        Call(x, False, state, compiled=True),
        Call(following, False, compiled=True),
        Call(x, True, compiled=True),
        Call(following, True, other, compiled=True),
    ]


def _in_modes(x: Float32, following: Float32, state: State, other: State) -> list[Call]:
    """Return calls in both modes of the module, the flag saying the other one first."""
    calls = [Call(x, flag, state, mode=not flag) for flag in (False, True)]
    calls += [Call(following, flag, other, mode=not flag) for flag in (False, True)]
    return [*calls, *(Call(x, flag, state, mode=flag) for flag in (False, True))]


_PLANS = {
    "full": _full,
    "training-first": _training_first,
    "short": _short,
    "poison": _poison,
    "duplicated": _duplicated,
    "compiled": _compiled,
    "modes": _in_modes,
}


def _state(rng: np.random.Generator, turn: int, design: Design) -> State:
    ones, zeros = design.gamma == "ones", design.beta == "zeros"
    return state_of(rng, turn, design.features, design.eps, ones=ones, zeros=zeros)
