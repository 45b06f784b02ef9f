"""The usual mistakes of adapters, each told by the calls that give it away.

What a layer computes wrong is for the requirements. Here a problem is reported only if the
results are those of one known mistake, and not those of the layer as it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from conformance import conventions, oracle
from conformance.case import State
from conformance.implementation import Config
from conformance.layers import STATISTICS
from conformance.probe import STATE, X
from conformance.subject import AnyArray, Subject

Problem = str | None

_CONFIG = Config(features=3, momentum=0.75, eps=0.5)
_DEFAULTS = {"momentum": (0.9, 0.99, 0.1, 0.01), "eps": (1e-5, 1e-3, 1e-6)}


def _near(got: AnyArray, expected: AnyArray) -> bool:
    """Tell apart by a thousandth: this looks for exchanged numbers, not for lost digits."""
    return got.shape == expected.shape and bool(np.allclose(got, expected, 1e-3, 1e-3))


def _after_training(subject: Subject, config: Config) -> State:
    layer = subject.build(config, STATE)
    layer.train(X)
    return layer.state


def _expected(subject: Subject, config: Config) -> AnyArray:
    with conventions.in_force(subject.implementation.deviations):
        return oracle.train(config, STATE, X).running_mean


def momentum_passed(subject: Subject) -> Problem:
    """Momentum reaches the layer, and the right way round."""
    got = _after_training(subject, _CONFIG).running_mean
    if _near(got, _expected(subject, _CONFIG)):
        return None
    if _near(got, _expected(subject, replace(_CONFIG, momentum=1 - _CONFIG.momentum))):
        return "momentum is swapped: pass 1 - config.momentum where it weighs the new value"
    for default in _DEFAULTS["momentum"]:
        if _near(got, _expected(subject, replace(_CONFIG, momentum=default))):
            return f"momentum is not passed: the layer uses {default:g} instead of config.momentum"
    if _near(got, STATE.running_mean):
        return "state is not kept between calls: a training call has changed no statistic"
    return None


def eps_passed(subject: Subject) -> Problem:
    """Eps reaches the layer."""
    state = STATE.replace(running_var=X[0] * 0 + 0.01)
    got = subject.build(_CONFIG, state).evaluate(X)
    if _near(got, oracle.evaluate(_CONFIG, state, X)):
        return None
    for default in (*_DEFAULTS["eps"], _CONFIG.momentum):
        if _near(got, oracle.evaluate(replace(_CONFIG, eps=default), state, X)):
            return f"eps is not passed: the layer uses {default:g} instead of config.eps"
    return None


def flag_understood(subject: Subject) -> Problem:
    """The flag is not inverted, and not ignored."""
    evaluated = oracle.evaluate(_CONFIG, STATE, X)
    with conventions.in_force(subject.implementation.deviations):
        trained = oracle.train(_CONFIG, STATE, X).y
    layer = subject.build(_CONFIG, STATE)
    at_true = layer.evaluate(X)
    at_false = subject.build(_CONFIG, STATE).train(X)
    if _near(at_true, trained) and _near(at_false, evaluated):
        return "the flag is inverted: True evaluates; pass `not use_running_average` to `training`"
    if _near(at_true, trained) and _near(at_false, trained):
        return "the flag is ignored: a call with True trains"
    if _near(at_true, evaluated) and _near(at_false, evaluated):
        return "the flag is ignored: a call with False evaluates"
    return None


def write_reaches(subject: Subject) -> Problem:
    """What is written is what the layer computes with."""
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
    """No two arrays are exchanged on their way in and out."""
    got = subject.build(_CONFIG, STATE).evaluate(X)
    arrays = STATE.arrays()
    for one, other in (("gamma", "beta"), STATISTICS):
        swapped = STATE.replace(**{one: arrays[other], other: arrays[one]})
        if _near(got, oracle.evaluate(_CONFIG, swapped, X)):
            return f"{one} and {other} are swapped in both read and write"
    return None


def state_kept(subject: Subject) -> Problem:
    """A second training call starts where the first one ended."""
    layer = subject.build(_CONFIG, STATE)
    layer.train(X)
    once = layer.state
    layer.train(X)
    twice = layer.state
    moved = not _near(once.running_mean, STATE.running_mean)
    if moved and all(_near(twice.arrays()[n], once.arrays()[n]) for n in STATISTICS):
        return "state is not kept between calls: two training calls give what one gives"
    return None


MISTAKES: tuple[tuple[str, Callable[[Subject], Problem]], ...] = (
    ("momentum reaches the layer, the right way round", momentum_passed),
    ("eps reaches the layer", eps_passed),
    ("True evaluates and False trains", flag_understood),
    ("the layer computes with what was written", write_reaches),
    ("the four arrays are in their places", arrays_in_place),
    ("state is kept between calls", state_kept),
)
"""What each mistake would break, and how it is looked for."""
