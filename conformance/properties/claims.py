"""The two claims that many requirements share: a training call and an evaluation call.

A requirement that is about something else, such as a flag or a shape, says it through these.
"""

from __future__ import annotations

from typing import Any

from conformance import bounds, oracle
from conformance.case import Case, State
from conformance.checks import check_within
from conformance.implementation import STATISTICS, Config
from conformance.subject import AnyArray, LiveLayer, Subject


def check_training(
    subject: Subject, layer: LiveLayer, before: State, case: Case, x: Any, flag: Any = False
) -> None:
    """Train once, from the state ``before``; y and both running statistics must be right."""
    y = layer.call(x, flag)

    expected = oracle.train(case.config, before, case.x)
    bound = bounds.train(case.config, before, case.x, subject.accuracy)
    check_within("y in training", y, expected.y, bound.y)
    after = layer.state
    check_within("running_mean", after.running_mean, expected.running_mean, bound.running_mean)
    check_within("running_var", after.running_var, expected.running_var, bound.running_var)


def check_evaluation(layer: LiveLayer, case: Case, x: Any, flag: Any = True) -> None:
    """Evaluate with whatever the layer holds now; y must be right."""
    now = layer.usable_state
    check_evaluated(case.config, now, case.x, layer.call(x, flag))


def check_evaluated(config: Config, state: State, x: AnyArray, y: AnyArray) -> None:
    """Check an output of evaluation against the oracle."""
    expected = oracle.evaluate(config, state, x)
    check_within("y in evaluation", y, expected, bounds.evaluate(config, state, x))


def check_trained(subject: Subject, case: Case, before: State, y: Any, after: State) -> None:
    """Check what one training call from ``before`` has given."""
    expected = oracle.train(case.config, before, case.x)
    bound = bounds.train(case.config, before, case.x, subject.accuracy)
    check_within("y in training", y, expected.y, bound.y)
    for name in STATISTICS:
        check_within(name, getattr(after, name), getattr(expected, name), getattr(bound, name))
