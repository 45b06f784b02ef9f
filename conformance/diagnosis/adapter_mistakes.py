"""Common mistakes of adapters, each recognized by its results.

Wrong results in general are a matter for the requirements. Here a problem is reported only if
the results are those of one known mistake, and not those of a correct adapter. The layer itself
may make the same mistake, which cannot be distinguished from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import numpy as np

from conformance.adapters.protocols import ARRAYS, COUNT, STATISTICS, Config
from conformance.numerics import oracle
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.sample_data import STATE, X
from conformance.properties.support.subject import Subject

Problem = str | None

_CONFIG = Config(features=3, momentum=0.75, eps=0.5)
_DEFAULTS = {"momentum": (0.9, 0.99, 0.1, 0.01), "eps": (1e-5, 1e-3, 1e-6)}
_NEXT = np.array([[5, -3, 8], [2, 7, -4], [9, 1, 3], [-4, 2, 6]], np.float32)
_LATER = State(*(array[::-1].copy() for array in STATE.arrays().values()))


def _near(got: AnyArray, expected: AnyArray) -> bool:
    """Compare to one part in a thousand, which finds exchanged numbers, not lost digits."""
    return got.shape == expected.shape and bool(np.allclose(got, expected, 1e-3, 1e-3))


def _after_training(subject: Subject, config: Config) -> State:
    layer = subject.build(config, STATE)
    layer.train(X)
    return layer.state


def _expected(subject: Subject, config: Config) -> AnyArray:
    return oracle.train(config, STATE, X, subject.conventions).running_mean


def momentum_passed(subject: Subject) -> Problem:
    """Momentum reaches the layer, and is not inverted."""
    got = _after_training(subject, _CONFIG).running_mean
    if _near(got, _expected(subject, _CONFIG)):
        return None
    if _near(got, _expected(subject, replace(_CONFIG, momentum=1 - _CONFIG.momentum))):
        return "momentum is swapped: pass 1 - config.momentum where it weighs the new value"
    for default in _DEFAULTS["momentum"]:
        if _near(got, _expected(subject, replace(_CONFIG, momentum=default))):
            return f"momentum is not passed: the layer uses {default:g} instead of config.momentum"
    return None


def eps_passed(subject: Subject) -> Problem:
    """Eps reaches the layer."""
    config = replace(_CONFIG, eps=0.04)  # differs from its root, its square and momentum
    state = STATE.replace(running_var=X[0] * 0 + 0.01)

    def uses(eps: float) -> bool:
        return _near(got, oracle.evaluate(replace(config, eps=eps), state, X))

    got = subject.build(config, state).evaluate(X)
    if uses(config.eps):
        return None
    forms = {config.eps**0.5: "its square root", config.eps**2: "its square"}
    for value, form in forms.items():
        if uses(value):
            return f"eps reaches the layer as {form}: pass config.eps as what is added to v"
    if uses(config.momentum):
        return "momentum is passed where eps belongs: pass config.eps"
    for default in _DEFAULTS["eps"]:
        if uses(default):
            return f"eps is not passed: the layer uses {default:g} instead of config.eps"
    return None


def flag_understood(subject: Subject) -> Problem:
    """The flag is neither inverted nor ignored."""
    evaluated = oracle.evaluate(_CONFIG, STATE, X)
    trained = oracle.train(_CONFIG, STATE, X, subject.conventions).y
    layer = subject.build(_CONFIG, STATE)
    at_true = layer.evaluate(X)
    at_false = subject.build(_CONFIG, STATE).train(X)
    if _near(at_true, trained) and _near(at_false, evaluated):
        return "the flag is inverted: True evaluates; pass `not use_running_average` to `training`"
    if _near(at_true, trained) and _near(at_false, trained):
        return "the flag is ignored: a call with True trains"
    if _near(at_true, evaluated) and _near(at_false, evaluated):
        return "the flag is ignored: a call with False evaluates"
    if _near(layer.train(X), evaluated) and _near(at_false, trained):
        return "the mode of the first call stays: False after True evaluates; set it in each call"
    return None


def write_reaches(subject: Subject) -> Problem:
    """The layer computes with the values that were written."""
    got = subject.build(_CONFIG, STATE).evaluate(X)
    fresh = State.fresh(_CONFIG.features)
    for name in fresh.arrays():
        without = STATE.replace(**{name: fresh.arrays()[name]})
        if _near(got, oracle.evaluate(_CONFIG, without, X)):
            return f"write does not reach the layer: it still computes with its first {name}"
    if _near(got, oracle.evaluate(_CONFIG, fresh, X)):
        return "write does not reach the layer: it computes with the arrays of a fresh one"
    return None


def arrays_in_place(subject: Subject) -> Problem:
    """No arrays are exchanged when written or read, and running_var is a variance."""
    got = subject.build(_CONFIG, STATE).evaluate(X)
    if _near(got, oracle.evaluate(_CONFIG, STATE, X)):
        return None
    arrays = STATE.arrays()
    for order in permutations(ARRAYS):
        moved = State(**{name: arrays[given] for name, given in zip(ARRAYS, order, strict=True)})
        if order != ARRAYS and _near(got, oracle.evaluate(_CONFIG, moved, X)):
            turned = [(n, g) for n, g in zip(ARRAYS, order, strict=True) if n != g]
            if len(turned) == 2:
                return f"{' and '.join(turned[0])} are swapped in both read and write"
            exchanges = ", ".join(f"{given} is used as {name}" for name, given in turned)
            return f"the arrays are exchanged in both read and write: {exchanges}"
    squared = STATE.replace(running_var=STATE.running_var**2)
    if _near(got, oracle.evaluate(_CONFIG, squared, X)):
        return (
            "running_var is used as a standard deviation: square it in `read`, and write its root"
        )
    return None


def written_later(subject: Subject) -> Problem:
    """The next call computes with the values that were written after a call."""
    layer = subject.build(_CONFIG, STATE)
    layer.evaluate(X)
    layer.write(_LATER)
    if _near(layer.evaluate(X), oracle.evaluate(_CONFIG, STATE, X)):
        return "what is written after a call does not reach the layer: drop what `write` outdates"
    return None


def state_kept(subject: Subject) -> Problem:
    """A second training call starts where the first one ended."""
    layer = subject.build(_CONFIG, STATE)
    layer.train(X)
    once = layer.state.arrays()
    layer.train(_NEXT)
    twice = layer.state.arrays()
    if all(_near(once[name], STATE.arrays()[name]) for name in STATISTICS):
        if all(_near(twice[name], once[name]) for name in STATISTICS):
            return "state is not kept between calls: a training call has changed no statistic"
        return None
    if all(_near(twice[name], once[name]) for name in STATISTICS):
        return (
            "state is not kept between calls: a second training call changes nothing that is read"
        )
    alone = subject.build(_CONFIG, STATE)
    alone.train(_NEXT)
    if all(_near(twice[name], alone.state.arrays()[name]) for name in STATISTICS):
        return "state is not kept between calls: a second training call starts where the first did"
    return None


def age_kept(subject: Subject) -> Problem:
    """A copy by reading and writing goes on as the layer itself, fresh or trained."""
    if subject.implementation.design.extra:  # which is not copied
        return None
    for words, batches in (("a fresh layer", ()), ("a trained layer", (X,))):
        layer = subject.build(_CONFIG)
        for batch in batches:
            layer.train(batch)
        copy = subject.build(_CONFIG, layer.state)
        layer.train(_NEXT)
        copy.train(_NEXT)
        arrays, copied = layer.state.arrays(), copy.state.arrays()
        differing = [name for name in STATISTICS if not _near(copied[name], arrays[name])]
        if differing:
            return f"{words} and its copy by `read` and `write` differ in {differing[0]} {_AGE}" + (
                f"`{COUNT}` must be the number of updates, 0 for a fresh layer, and be written back"
                if subject.conventions.counts()
                else f"if the layer counts its updates, declare that, and read and write `{COUNT}`"
            )
    return None


_AGE = "after one more training call: "

_PLACES = "the four arrays are in their places", arrays_in_place
_AGES = "a copy by read and write goes on as the layer does", age_kept

OF_NAMES: tuple[tuple[str, Callable[[Subject], Problem]], ...] = (
    _PLACES,
    _AGES,
)
"""Mistakes that are possible where only names are declared: ``Implementation.nnx`` and classes."""

MISTAKES: tuple[tuple[str, Callable[[Subject], Problem]], ...] = (
    ("the layer computes with what was written", write_reaches),
    _PLACES,
    ("what is written later reaches it, too", written_later),
    ("True evaluates and False trains", flag_understood),
    ("state is kept between calls", state_kept),
    _AGES,
    ("momentum reaches the layer, the right way round", momentum_passed),
    ("eps reaches the layer", eps_passed),
)
"""The claim that each mistake would break, and its check; each relies on those before."""
