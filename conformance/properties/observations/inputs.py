"""Inputs and masks that no requirement covers."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from conformance.adapters.domain import Options
from conformance.numerics.state import AnyArray
from conformance.properties.observations.calling import (
    CONFIG,
    Raised,
    attempt,
    both_modes,
    build_layer,
    call_layer,
    describe_statistics,
    describe_values,
)
from conformance.properties.support.layer_handle import CONSTRUCT, LayerHandle
from conformance.properties.support.property import requirement
from conformance.properties.support.sample_data import STATE, X
from conformance.properties.support.session import as_array
from conformance.properties.support.subject import Subject


@requirement("BN-SHAPE-4")
def no_rows(subject: Subject) -> str:
    """x of shape (0, 3)"""

    def describe(y: AnyArray, layer: LayerHandle) -> str:
        return f"an output of shape {y.shape}, {describe_statistics(layer)}"

    return both_modes(subject, np.zeros((0, 3), np.float32), describe)


@requirement("BN-SHAPE-5")
def one_axis(subject: Subject) -> str:
    """x of shape (3,)"""

    def describe(y: AnyArray, layer: LayerHandle) -> str:
        return f"a {describe_values(y)} output of shape {y.shape}, {describe_statistics(layer)}"

    return both_modes(subject, X[1], describe)


@requirement("BN-NUM-5")
def nan_batch(subject: Subject) -> str:
    """NaN at [0, 1], then two batches of finite numbers"""
    poisoned = X.copy()
    poisoned[0, 1] = np.nan
    layer = build_layer(subject)
    y = call_layer(layer, poisoned, False)
    if isinstance(y, Raised):
        return f"training {y}"
    column = np.isnan(y[:, 1])
    rows = "every row" if column.all() else "its row" if column[0] else "no row"
    now = describe_statistics(layer)
    for _ in range(2):
        call_layer(layer, X, False)
    later = layer.state
    lasting = np.isnan(later.running_mean[1]) or np.isnan(later.running_var[1])
    end = "two clean batches do not cure it" if lasting else "nothing is left after clean batches"
    return f"training gives NaN in {rows} of that feature, {now}; {end}"


@requirement("BN-NUM-6")
def overflow(subject: Subject) -> str:
    """x up to 6e19"""

    def describe(y: AnyArray, layer: LayerHandle) -> str:
        zero = "0 wherever γ·z should be" if np.array_equal(y, _betas(y)) else describe_values(y)
        return f"y is {zero}, {describe_statistics(layer)}"

    layer = build_layer(subject)
    y = call_layer(layer, X * np.float32(1e19), False)
    return f"training {y}" if isinstance(y, Raised) else f"in training {describe(y, layer)}"


def _betas(y: AnyArray) -> AnyArray:
    return np.broadcast_to(STATE.beta, y.shape)


def _of_dtype(subject: Subject, x: AnyArray) -> str:
    """Compare the result of an input of another dtype with that of the same numbers in float32."""
    numbers = x.real.astype(np.float32)

    def describe(y: AnyArray, layer: LayerHandle) -> str:
        evaluated = np.array_equal(layer.state.running_mean, STATE.running_mean)
        wanted = call_layer(build_layer(subject), numbers, bool(evaluated))
        same = not isinstance(wanted, Raised) and np.allclose(y, wanted, 1e-3, 1e-3)
        dtypes = {str(array.dtype) for array in layer.state.arrays().values()}
        kept = "" if dtypes == {"float32"} else f", arrays of {' and '.join(sorted(dtypes))}"
        numbers_in = "its real part" if np.iscomplexobj(x) else "the same numbers"
        alike = f"as for {numbers_in} in float32" if same else "with other values"
        return f"y is {y.dtype}, {alike}{kept}"

    return both_modes(subject, x, describe)


@requirement("BN-TYPE-5")
def integers(subject: Subject) -> str:
    """x of int32"""
    return _of_dtype(subject, X.astype(np.int32))


@requirement("BN-TYPE-6")
def booleans(subject: Subject) -> str:
    """x of bool"""
    return _of_dtype(subject, X > 1)


@requirement("BN-TYPE-7")
def complex_numbers(subject: Subject) -> str:
    """x + i"""
    return _of_dtype(subject, X.astype(np.complex64) + np.complex64(1j))


_MASKS = {
    "0/1 in float32": np.array([1, 0, 1, 1], np.float32),
    "0/1 in int32": np.array([1, 0, 1, 1], np.int32),
    "weights .5 and 2": np.array([0.5, 0, 2, 1], np.float32),
}


@requirement("BN-MASK-4")
def masks(subject: Subject) -> str:
    """rows weighted 1, 0, 1, 1 and .5, 0, 2, 1"""
    wider = subject.implementation.wider
    assert wider is not None, "it declares a mask"  # noqa: S101
    built = asdict(CONFIG), asdict(Options()), False
    layer = subject.session.keep("build_with", *built, label=CONSTRUCT)
    answers: dict[str, list[str]] = {}
    for name, mask in _MASKS.items():
        label = f"a training call with a mask of {name}"
        arguments = layer, X, mask if wider.mask_by_row else mask[:, None]
        found = attempt(partial(subject.session.ask, "train_masked", *arguments, label=label))
        answers.setdefault(_meaning(found, mask), []).append(name)
    return "; ".join(f"{', '.join(names)}: {what}" for what, names in answers.items())


def _meaning(found: Any, mask: AnyArray) -> str:
    if isinstance(found, Raised):
        return str(found)
    share = 1 - CONFIG.momentum
    mean = as_array("running_mean", found["running_mean"])
    kept, weighted = X[mask != 0].mean(axis=0), np.average(X, axis=0, weights=mask)
    for expected, words in ((kept, "what is not 0 counts"), (weighted, "taken as weights")):
        if np.allclose(mean, share * expected, 1e-4, 1e-4):
            return words
    return "another mean"
