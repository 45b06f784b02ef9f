"""Guards against non-finite, constant or large values, and results that are not computed."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, absolute, exact, rearrange, where
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.reference_model import ReferenceModel

_normalized = ReferenceModel.normalized


def _nan_to_num(x: Approximate) -> Approximate:
    """Return NumPy's nan_to_num in float32: infinities become the largest number."""
    largest = float(np.finfo(np.float32).max)
    value = np.nan_to_num(x.value, nan=0.0, posinf=largest, neginf=-largest)
    return Approximate(value, np.where(np.isfinite(x.value), x.error, 0))


def _without_nan(z: Approximate) -> Approximate:
    bad = np.isnan(z.value)
    return Approximate(np.where(bad, 0, z.value), np.where(bad, 0, z.error))


_LET = "let a feature that is not finite stay so; it must not touch others"
alternative(
    "nan-is-zero",
    "NaN in the input is replaced by zero",
    remedy=_LET,
    needs=2,
    take_input=lambda m, x: where(np.isnan(x), 0.0, exact(x)),
)
alternative(
    "not-finite-is-zero",
    "what is not finite in the input is replaced by zero",
    remedy=_LET,
    needs=2,
    take_input=lambda m, x: where(~np.isfinite(x), 0.0, exact(x)),
)
alternative(
    "nan-to-num-of-x",
    "nan_to_num is applied to the input",
    needs=1,
    take_input=lambda m, x: _nan_to_num(exact(x)),
)
alternative(
    "nan-of-y-is-zero",
    "NaN in the result is replaced by zero",
    remedy=_LET,
    needs=2,
    finish=lambda m, y: _without_nan(y),
)
alternative(
    "nan-of-y-is-beta",
    "NaN in the result is replaced by β",
    remedy=_LET,
    needs=2,
    normalized=lambda m, *given: _without_nan(_normalized(m, *given)),
)
alternative(
    "nan-to-num-of-y",
    "nan_to_num is applied to the result",
    remedy=_LET,
    needs=2,
    finish=lambda m, y: _nan_to_num(y),
)
alternative(
    "batch-zeroed-if-not-finite",
    "the whole batch is replaced by zeros if anything in it is not finite",
    remedy=_LET,
    needs=2,
    take_input=lambda m, x: exact(x if np.isfinite(x).all() else np.zeros_like(x)),
)


alternative(
    "not-finite-rows-zeroed",
    "rows with anything that is not finite are replaced by zeros",
    remedy=_LET,
    needs=2,
    take_input=lambda m, x: where(
        np.isfinite(exact(x).value).all(axis=1, keepdims=True), exact(x), exact(np.zeros(x.shape))
    ),
)


alternative(
    "not-finite-spreads",
    "one value that is not finite makes all features undefined",
    remedy=_LET,
    needs=2,
    take_input=lambda m, x: exact(x if np.isfinite(x).all() else np.full(x.shape, np.nan)),
)


def _as_it_is(m: ReferenceModel, x: Approximate, condition: Any) -> Any:
    """Return x where the condition holds, and the correct y elsewhere."""
    y = (ReferenceModel.train_step if m.training else ReferenceModel.evaluate)(m, x)
    return where(condition, x, y)


def _constant(x: Approximate) -> Any:
    return x.value.max(axis=0) == x.value.min(axis=0)


alternative(
    "constant-identity",
    "a constant feature is returned as it is",
    remedy="y = β for a constant feature",
    needs=2,
    train_step=lambda m, x: _as_it_is(m, x, _constant(x)),
)
alternative(
    "constant-zero",
    "a constant feature gives zero instead of β",
    needs=2,
    train_step=lambda m, x: where(_constant(x), 0.0, ReferenceModel.train_step(m, x)),
)
alternative(
    "identity",
    "the input is returned as it is",
    train_step=lambda m, x: _as_it_is(m, x, True),
    evaluate=lambda m, x: _as_it_is(m, x, True),
)
alternative(
    "identity-in-training",
    "training returns its input as it is",
    needs=2,
    train_step=lambda m, x: _as_it_is(m, x, True),
)
alternative(
    "identity-in-evaluation",
    "evaluation returns its input as it is",
    needs=2,
    evaluate=lambda m, x: _as_it_is(m, x, True),
)
alternative(
    "signs",
    "z is the sign of x − μ",
    "z = ±1",
    normalized=lambda m, x, mean, var: exact(np.sign(x.value - mean.value)),
)
family(
    "large-is-missing",
    "values beyond ±{c} are set to zero",
    Parameter(tuple(10.0**k for k in range(1, 10)), threshold=True),
    lambda c: {"take_input": lambda m, x: where(np.abs(exact(x).value) > c, 0.0, exact(x))},
    remedy="take the input as it is",
    needs=2,
)
alternative(
    "only-beta",
    "the result is β in every row",
    normalized=lambda m, x, mean, var: exact(np.zeros(x.shape)),
)


def _zero_if_constant(m: ReferenceModel, x: Approximate) -> Approximate:
    """Return y, zero where the variance is zero; a rounded variance may be slightly above zero."""
    y = ReferenceModel.train_step(m, x)
    rows = x.shape[0]
    constant = (x.value == x.value[:1]).all(axis=0)
    surely = constant & ((x.value[0] == 0) | (rows <= 2))
    either = Approximate(np.zeros(y.shape), np.where(surely, 0, np.abs(y.value) + y.error))
    return where(np.broadcast_to(constant, y.shape), either, y)


alternative(
    "constant-is-zero",
    "training gives zero, without β, where a feature is constant in the batch",
    remedy="ε keeps the root from zero: y = β there",
    needs=2,
    train_step=_zero_if_constant,
)
alternative("zeros", "the result is zero", finish=lambda m, y: exact(np.zeros(y.shape)))
alternative(
    "z-only-of-last-row",
    "every row gets the result of the last",
    finish=lambda m, y: rearrange(lambda a: np.broadcast_to(a[-1:], a.shape).copy(), y),
)
alternative("x-absolute", "the input loses its sign", take_input=lambda m, x: absolute(x))
alternative(
    "rows-sorted",
    "rows are sorted and not put back: values of a feature come out in ascending order",
    remedy="keep the order of rows",
    take_input=lambda m, x: rearrange(lambda a: np.sort(a, axis=0), x),
)
alternative(
    "rows-reversed",
    "rows come out in reverse order",
    take_input=lambda m, x: rearrange(lambda a: a[::-1], x),
)
alternative(
    "rows-rolled",
    "rows come out shifted by one",
    finish=lambda m, y: rearrange(lambda a: np.roll(a, 1, axis=0), y),
)
alternative(
    "rows-rolled-back",
    "rows come out shifted by one, upwards",
    finish=lambda m, y: rearrange(lambda a: np.roll(a, -1, axis=0), y),
)
alternative(
    "features-reversed",
    "features come out in reverse order",
    finish=lambda m, y: rearrange(lambda a: a[:, ::-1], y),
)
