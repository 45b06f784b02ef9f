"""The calls in which a mistake is made: all, those of one mode, or those that meet a condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from conformance.diagnosis.model_state import Steps
from conformance.diagnosis.observe import Observation


@dataclass(frozen=True, slots=True)
class Scope:
    """A condition on calls; ``words`` continue the sentence of an alternative."""

    id: str
    words: str
    holds: Callable[[Observation], bool]
    cost: int


EVERYWHERE = Scope("", "", lambda _: True, 0)


@dataclass(frozen=True, slots=True)
class Part:
    """A mistake in a model: replaced steps, and the calls in which they are replaced."""

    steps: Steps
    scope: Scope = EVERYWHERE


def steps_of(parts: Iterable[Part], observation: Observation) -> Steps:
    """Return the steps that are replaced in a call."""
    return {n: s for part in parts if part.scope.holds(observation) for n, s in part.steps.items()}


def _training(observation: Observation) -> bool:
    return observation.call is not None and observation.call.training


def _rows(observation: Observation) -> int:
    return -1 if observation.call is None else observation.call.x.shape[0]


def _takes_numpy(observation: Observation) -> bool:
    call = observation.call
    return call is not None and call.container != "jax" and not call.compiled


def _all(observation: Observation, array: str, value: float) -> bool:
    state = observation.before
    return state is not None and bool(np.all(state.arrays()[array] == value))


MODES = {
    "training": Scope("training", "in training only", _training, 1),
    "evaluation": Scope("evaluation", "in evaluation only", lambda o: not _training(o), 1),
}

_KINDS = (
    *MODES.values(),
    Scope("compiled", "under jit only", lambda o: o.compiled, 1),
    Scope("eager", "outside jit only", lambda o: not o.compiled, 1),
    Scope(
        "compiled-training", "in training under jit only", lambda o: o.compiled and _training(o), 2
    ),
    Scope(
        "compiled-evaluation",
        "in evaluation under jit only",
        lambda o: o.compiled and not _training(o),
        2,
    ),
)

_CONDITIONS = (
    Scope("one-row", "seen only where N = 1", lambda o: _rows(o) == 1, 2),
    Scope("square", "seen only where N = D", lambda o: _rows(o) == o.config.features, 2),
    Scope("wide", "seen only where N < D", lambda o: _rows(o) < o.config.features, 2),
    Scope("tall", "seen only where N > D", lambda o: _rows(o) > o.config.features, 2),
    Scope("odd", "seen only where N is odd", lambda o: _rows(o) % 2 == 1, 2),
    Scope("several-rows", "seen only where N > 1", lambda o: _rows(o) > 1, 2),
    Scope("one-feature", "seen only where D = 1", lambda o: o.config.features == 1, 2),
    Scope("momentum-zero", "seen only where momentum = 0", lambda o: o.config.momentum == 0, 2),
    Scope("momentum-one", "seen only where momentum = 1", lambda o: o.config.momentum == 1, 2),
    Scope("gamma-one", "seen only where every γ is 1", lambda o: _all(o, "gamma", 1), 2),
    Scope("beta-zero", "seen only where every β is 0", lambda o: _all(o, "beta", 0), 2),
    Scope(
        "mean-zero",
        "seen only where every running mean is 0",
        lambda o: _all(o, "running_mean", 0),
        2,
    ),
    Scope("numpy", "seen only where x is a NumPy array", _takes_numpy, 2),
    Scope(
        "jax",
        "seen only where x is a JAX array",
        lambda o: o.call is not None and not _takes_numpy(o),
        2,
    ),
)


def scopes(observations: list[Observation], deviant: set[int]) -> Iterator[Scope]:
    """Yield the scopes that contain every deviant call, the largest first.

    A mistake that is made only in a scope must not be sought outside it.

    Args:
        observations: All calls.
        deviant: The indices of the calls that contradict the truth.
    """
    sizes = sorted({_rows(o) for o in observations if o.call is not None})
    by_size = [_at_most(k, following) for k, following in pairwise(sizes)]
    by_size += [_at_least(k) for k in sizes[1:]] + [_exactly(k) for k in sizes if k > 1]
    by_calls = [_from_call(k) for k in range(2, 13)] + [_until_call(k) for k in (1, 2, 3)]
    for scope in (EVERYWHERE, *_KINDS, *_CONDITIONS, *by_size, *by_calls):
        if all(scope.holds(observations[index]) for index in deviant):
            yield scope


def _at_most(k: int, following: int) -> Scope:
    words = (
        f"seen only where N < {following}"
        if following == k + 1
        else f"seen only where N is at most {k}"
    )
    return Scope(f"rows<={k}", words, lambda o: _rows(o) <= k, 2)


def _exactly(k: int) -> Scope:
    return Scope(f"rows=={k}", f"seen only where N is {k}", lambda o: _rows(o) == k, 2)


def _at_least(k: int) -> Scope:
    return Scope(f"rows>={k}", f"seen only where N is {k} or more", lambda o: _rows(o) >= k, 2)


def _from_call(k: int) -> Scope:
    words = f"seen only from training call {k} on"
    return Scope(f"calls>={k}", words, lambda o: _training(o) and o.earlier + 1 >= k, 2)


def _until_call(k: int) -> Scope:
    words = f"seen only up to training call {k}"
    return Scope(f"calls<={k}", words, lambda o: _training(o) and o.earlier + 1 <= k, 2)
