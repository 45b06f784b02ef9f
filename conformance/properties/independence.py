"""IND: nothing but state, input and flag matters, and nothing else is touched."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from conformance.case import Case
from conformance.checks import check_identical
from conformance.properties.claims import check_evaluation, check_kept, check_training
from conformance.properties.registry import requirement
from conformance.strategies.cases import Stream, cases, mixed_streams, streams
from conformance.strategies.source import choices
from conformance.subject import Subject, as_numpy, calling


@requirement("BN-IND-1", share=0.4, case=cases)
def the_same_call_gives_the_same_result(subject: Subject, case: Case) -> None:
    """two layers in the same state: identical y and identical new state"""
    one, before, x = subject.start(case)
    two = subject.build(case.config, before)
    y_one, y_two = one.train(x), two.train(x)

    check_identical("y in training", y_two, y_one, rule="as from the first layer")
    check_kept(two.state, one.state, "as in the first layer")
    y = one.evaluate(x)
    check_identical("y in evaluation", two.evaluate(x), y, rule="as from the first layer")


ANOTHER_MOMENTUM, ANOTHER_EPS = 0.35, 0.02
"""The hyper-parameters of other instances: what is kept on the class is theirs then."""


@requirement("BN-IND-2", share=0.5, drawn=mixed_streams, evaluate=lambda _: choices(0, 1))
def nothing_but_state_and_input_matters(subject: Subject, drawn: Stream, evaluate: int) -> None:
    """after calls of other sizes, other instances and random states the result is the same"""
    case = drawn.case
    layer, before, x = subject.start(case)
    for index, batch in enumerate(drawn.following):
        other = replace(case.with_x(batch), as_jax=index % 2 == 0)
        layer.call(subject.input(other), bool(evaluate))
    layer.write(before)
    for batch in drawn.following:
        subject.build(case.config).train(subject.input(case.with_x(batch)))
    config = replace(case.config, momentum=ANOTHER_MOMENTUM, eps=ANOTHER_EPS)
    different = subject.build(config, before)
    different.call(subject.input(case.with_x(drawn.following[0])), bool(evaluate))
    subject.build(replace(config, features=config.features + 1))
    np.random.seed(len(drawn.following))  # noqa: NPY002  the legacy state is what may leak in
    random.seed(len(drawn.following))

    check_evaluation(layer, case, x)
    check_training(subject, layer, before, case, x)


@requirement("BN-IND-3", share=0.5, drawn=streams, evaluate=lambda _: choices(0, 1))
def inputs_and_earlier_results_stay_as_they_are(
    subject: Subject, drawn: Stream, evaluate: int
) -> None:
    """x, an earlier y and an earlier snapshot are unchanged by the calls that follow"""
    case = drawn.case
    layer, _, x = subject.start(case)
    snapshot = layer.raw
    kept = {name: as_numpy(name, value) for name, value in snapshot.items()}
    with calling("the call"):
        y = layer.layer(x, bool(evaluate))
    y_then = as_numpy("y", y)
    for batch in drawn.following:
        layer.train(subject.input(case.with_x(batch)))

    check_identical("x", np.asarray(x), case.x, rule="untouched")
    check_identical("the first y", np.asarray(y), y_then, rule="as it was returned")
    for name, value in snapshot.items():
        rule = "as in the snapshot"
        check_identical(f"the snapshot of {name}", np.asarray(value), kept[name], rule=rule)
