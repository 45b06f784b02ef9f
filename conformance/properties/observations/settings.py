"""Flags and constructor arguments that no requirement covers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from conformance.adapters.protocols import Config
from conformance.numerics import oracle
from conformance.numerics.state import AnyArray, State
from conformance.properties.observations.calling import (
    CONFIG,
    Raised,
    attempt,
    build_layer,
    call_layer,
    describe_statistics,
)
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.property import requirement
from conformance.properties.support.sample_data import STATE, X
from conformance.properties.support.subject import Subject


def _mode(subject: Subject, y: AnyArray, layer: LayerHandle) -> str:
    """Return which mode a call was in, judging by its output and by the state after it."""
    wanted = oracle.train(CONFIG, STATE, X, subject.conventions).y
    trained = np.allclose(y, wanted, 1e-2, 1e-2)
    evaluated = np.allclose(y, oracle.evaluate(CONFIG, STATE, X), 1e-2, 1e-2)
    moved = not np.array_equal(layer.state.running_mean, STATE.running_mean)
    if trained and moved:
        return "trains"
    if evaluated and not moved:
        return "evaluates"
    return f"gives what neither mode gives, {describe_statistics(layer)}"


@requirement("BN-FLAG-6")
def nan_flag(subject: Subject) -> str:
    """use_running_average=nan, use_running_average=.3"""
    answers = {}
    for name, flag in {"NaN": float("nan"), ".3": 0.3}.items():
        layer = build_layer(subject)
        y = call_layer(layer, X, flag)
        answers[name] = str(y) if isinstance(y, Raised) else _mode(subject, y, layer)
    if len(set(answers.values())) == 1:
        return f"NaN and .3: {answers['NaN']}"
    return "; ".join(f"{name}: {words}" for name, words in answers.items())


@requirement("BN-FLAG-7")
def nan_flag_of_function(subject: Subject) -> str:
    """f(0., x, nan)"""
    config, fresh = Config(features=X.shape[1], momentum=0.9, eps=1e-5), State.fresh(X.shape[1])
    y = attempt(lambda: subject.forward(0.0, X, float("nan")).copy())
    if isinstance(y, Raised):
        return str(y)
    if y.size != X.size:
        return f"returns {y.size} numbers for {X.size}"
    y = y.reshape(X.shape)
    if np.allclose(y, oracle.train(config, fresh, X).y, 1e-2, 1e-2):
        return "trains"
    evaluates = np.allclose(y, oracle.evaluate(config, fresh, X), 1e-2, 1e-2)
    return "evaluates" if evaluates else "gives what neither mode gives"


@requirement("BN-FLAG-8")
def traced_flag(subject: Subject) -> str:
    """jit(lambda layer, x, flag: layer(x, flag))"""
    answers = {}
    for flag in (False, True):
        layer = build_layer(subject)
        label = "the call under jit with a traced flag"
        y = attempt(partial(layer.ask, "call_traced", X, flag, label=label))
        answers[flag] = str(y) if isinstance(y, Raised) else _mode(subject, y, layer)
    if answers == {False: "trains", True: "evaluates"}:
        return "yes: False trains, True evaluates"
    if answers[False] == answers[True]:
        return f"no: {answers[True]}"
    return f"False {answers[False]}; True {answers[True]}"


def _build_with(subject: Subject, config: Config) -> LayerHandle | Raised:
    """Return a layer in ``STATE``, or the exception of its constructor."""
    layer = subject.build(config)
    raised = attempt(subject.session.finish)
    if isinstance(raised, Raised):
        return raised
    layer.write(STATE)
    subject.session.finish()  # so that what raises or hangs later is the call
    return layer


@requirement("BN-EMA-9")
def momentum_outside(subject: Subject) -> str:
    """momentum 1.5 and −.5"""
    answers = {}
    for momentum in (1.5, -0.5):
        config = replace(CONFIG, momentum=momentum)
        layer = _build_with(subject, config)
        if isinstance(layer, Raised):
            answers[momentum] = f"the constructor {layer}"
            continue
        y = call_layer(layer, X, False)
        if isinstance(y, Raised):
            answers[momentum] = f"training {y}"
            continue
        wanted = oracle.train(config, STATE, X, subject.conventions).running_mean
        taken = np.allclose(layer.state.running_mean, wanted, 1e-3, 1e-3)
        answers[momentum] = "taken as it is" if taken else f"taken; {describe_statistics(layer)}"
    if len(set(answers.values())) == 1:
        return f"1.5 and −.5: {answers[1.5]}"
    return f"1.5: {answers[1.5]}; −.5: {answers[-0.5]}"


@requirement("BN-EPS-2")
def eps_zero(subject: Subject) -> str:
    """ε = 0 and a feature that is constant"""
    layer = _build_with(subject, replace(CONFIG, eps=0.0))
    if isinstance(layer, Raised):
        return f"the constructor {layer}"
    x = X.copy()
    x[:, 1] = 4
    y = call_layer(layer, x, False)
    if isinstance(y, Raised):
        return f"training {y}"
    column = y[:, 1]
    words = "β" if np.allclose(column, STATE.beta[1]) else _kind(column)
    return f"training gives {words} in that feature, {describe_statistics(layer)}"


def _kind(column: AnyArray) -> str:
    if np.isnan(column).all():
        return "NaN"
    return "finite numbers that are not β" if np.isfinite(column).all() else "infinite numbers"
