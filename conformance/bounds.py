"""Batch Normalization with proved error bounds: tolerances that nobody has to choose.

Every result is an ``Enclosure``: the exact value in float64, and for each element the largest error
that a correct float32 kernel can have, whatever its order of summation. A test that checks against
it needs no ``rtol``: a number outside is wrong, and the bound is small where float32 is accurate.

>>> import numpy as np
>>> from conformance import bounds
>>> x = np.array([[0.0], [2.0], [7.0]], np.float32)
>>> found = bounds.batch_norm(x, np.ones(1), np.zeros(1), eps=1e-5)
>>> mean = x.mean(axis=0)
>>> y = (x - mean) / np.sqrt(x.var(axis=0) + np.float32(1e-5))
>>> found.y.check(y, "y")
>>> found.y.check((x - mean) / np.sqrt(x.var(axis=0, ddof=1) + np.float32(1e-5)), "y")
Traceback (most recent call last):
...
AssertionError: y[0, 0]: got -0.83205, expected -1.019049 ± 3.1e-06 (error ÷ bound 6.1e+04); ...

Admitted are two passes, updating (Welford) and merged blocks, shifts by the first row, a
correction, products with 1/N, y in any association or as a fused scale and shift, fused
multiply-adds, and JAX's derivatives of these as well as hand-written ones;
``docs/error-bounds.md`` has the derivations.
*Not* admitted are sums in 16 bits, and a variance in one pass unless ``one_pass=True``.
NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from conformance import oracle
from conformance.adapters.protocols import Config
from conformance.numerics import bounds as derived
from conformance.numerics.bounds import Bound
from conformance.numerics.conventions import Conventions
from conformance.numerics.dtypes import SPACING_AT_ZERO
from conformance.numerics.operands import (
    LARGEST_VARIANCE,
    Float64,
    as_batch,
    as_rows,
    as_vector,
    check_eps,
    check_rows,
    cotangent_rows,
)
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation

__all__ = [
    "BatchNorm",
    "Enclosure",
    "Gradients",
    "batch_norm",
    "batch_norm_inference",
    "running_average",
]


@dataclass(frozen=True, slots=True, eq=False)
class Enclosure:
    """A set of numbers: all that are within ``error`` of ``value``.

    Attributes:
        value: The exact result in float64.
        error: The largest error of a correct kernel, in the shape and unit of ``value``; infinite
            where a declared float16 may overflow.
    """

    value: Float64
    error: Float64

    def ratio(self, got: Any) -> Float64:
        """Return |got − value| ÷ error for each element; beyond 1 is wrong, and so is NaN.

        Args:
            got: What a kernel returned, in the shape of ``value``.

        Raises:
            AssertionError: It has another shape.
        """
        numbers = np.asarray(got)
        if numbers.shape != self.value.shape:
            msg = f"got the shape {numbers.shape}, expected {self.value.shape}"
            raise AssertionError(msg)
        with np.errstate(invalid="ignore"):
            ratio: Float64 = np.abs(numbers.astype(np.float64) - self.value) / self.error
        unlimited = np.isinf(self.error)
        return np.where(unlimited, 0.0, np.where(np.isnan(ratio), np.inf, ratio))

    def check(self, got: Any, name: str = "result") -> None:
        """Check that every number is inside, and otherwise show the one that is farthest outside.

        Args:
            got: What a kernel returned, in the shape of ``value``.
            name: What it is called in the message.

        Raises:
            AssertionError: A number is outside, or the shape is another one.
        """
        ratio = self.ratio(got)
        outside = ratio > 1
        if not outside.any():
            return
        place = np.unravel_index(np.argmax(ratio), ratio.shape)
        where = f"[{', '.join(map(str, place))}]" if place else ""
        msg = (
            f"{name}{where}: got {float(np.asarray(got)[place]):.7g}, expected "
            f"{self.value[place]:.7g} ± {self.error[place]:.2g} (error ÷ bound "
            f"{ratio[place]:.2g}); {outside.sum()} of {ratio.size} numbers are outside"
        )
        raise AssertionError(msg)


class Gradients(NamedTuple):
    """The derivatives of Σ w·y: dx in the shape of x, dγ and dβ, (D,)."""

    x: Enclosure
    gamma: Enclosure
    beta: Enclosure


@dataclass(frozen=True, slots=True, eq=False)
class BatchNorm:
    """Results of a training call.

    Attributes:
        mean: μ, (D,).
        var: v, the biased variance, (D,).
        rstd: 1/√(v+ε), (D,).
        y: γ·(x−μ)/√(v+ε) + β, in the shape of x.
    """

    mean: Enclosure
    var: Enclosure
    rstd: Enclosure
    y: Enclosure
    _call: _Call = field(repr=False)

    def gradients(self, cotangent: Any) -> Gradients:
        """Return the derivatives of Σ w·y, from float32 sums of x and w as they were given.

        dβ = Σ w, dγ = Σ w·z, dx = γ·r·(w − mean(w) − z·mean(w·z)) with z = (x−μ)·r. If x has 16
        bits, dx is rounded to its dtype.

        Args:
            cotangent: w, in the shape of x.

        Raises:
            ValueError: It has another shape, or numbers that are out of their range.
        """
        return self._call.gradients(cotangent)


def batch_norm(
    x: Any,
    gamma: Any,
    beta: Any,
    eps: float,
    *,
    axis: int = -1,
    dtype: Any = None,
    one_pass: bool = False,
) -> BatchNorm:
    """Return the results of a training call, with the errors that a correct kernel may have.

    |μ̂−μ| ≤ (N+2)·u·mean|x| with u = 2⁻²⁴, and so on; ``docs/error-bounds.md`` has all formulas.

    Args:
        x: The batch that the kernel received, (N, D) or more axes, up to 131,072 rows; float32,
            bfloat16, float16, or float64 numbers that are float32 numbers.
        gamma: γ, (D,).
        beta: β, (D,).
        eps: ε, at least 1e-16.
        axis: The axis of the features.
        dtype: The dtype of y: ``"float32"``, ``"bfloat16"`` or ``"float16"``; None for that of x if
            it has 16 bits, else float32. Statistics are sums in float32 in any case.
        one_pass: Whether the variance may be E[x²] − E[x]², which loses a factor of μ²/v.

    Raises:
        ValueError: A shape, a number or the dtype is out of its range; the message names it.
    """
    call = _Call.of(x, gamma, beta, eps, axis, one_pass=one_pass)
    rows, state = call.rows, call.state
    exact = oracle.batch_norm(rows, state.gamma, state.beta, eps)
    found = derived.train(call.config, state, rows, call.conventions)
    rho = derived.inverse_root_error(exact.var, found.var.allowed, eps)
    z = (rows - exact.mean) * exact.rstd
    return BatchNorm(
        mean=Enclosure(exact.mean, found.mean.allowed),
        var=Enclosure(exact.var, found.var.allowed),
        rstd=Enclosure(exact.rstd, Bound.of(exact.rstd * rho).allowed),
        y=call.output(exact.y, z, found.y, dtype),
        _call=call,
    )


def batch_norm_inference(
    x: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    var: Any,
    eps: float,
    *,
    axis: int = -1,
    dtype: Any = None,
) -> Enclosure:
    """Return y of a call with given statistics, with the error that a correct kernel may have.

    >>> import numpy as np
    >>> one = np.ones(1)
    >>> found = batch_norm_inference(np.array([[3.0]]), one, one, one, 4 * one, eps=1e-5)
    >>> found.check(np.float32([[2.0]]), "y")
    >>> bool(found.ratio(np.float32([[2.001]])) > 1)
    True

    Args:
        x: The batch that the kernel received, (N, D) or more axes.
        gamma: γ, (D,).
        beta: β, (D,).
        mean: The running mean, (D,).
        var: The running variance, (D,), not negative.
        eps: ε, at least 1e-16.
        axis: The axis of the features.
        dtype: The dtype of y, as for ``batch_norm``.

    Raises:
        ValueError: A shape, a number or the dtype is out of its range; the message names it.
    """
    call = _Call.of(x, gamma, beta, eps, axis)
    exact = oracle.batch_norm_inference(call.rows, gamma, beta, mean, var, eps)
    mean, var = np.asarray(mean, np.float64), np.asarray(var, np.float64)
    state = call.state.replace(running_mean=mean, running_var=var)
    z = (call.rows - mean) / np.sqrt(var + eps)
    return call.output(exact, z, derived.evaluate(call.config, state, call.rows), dtype)


def running_average(momentum: float, old: Any, new: Enclosure) -> Enclosure:
    """Return m·old + (1−m)·new, with the error after one update in float32: that of ``new``, too.

    e = (1−m)·e_new + 6u·max(|old|, |new|), for m·old + (1−m)·new, old + (1−m)·(new−old) and
    new − m·(new−old) alike. PyTorch, whose momentum is 1−m, stores N/(N−1)·v: scale ``new`` first.

    Args:
        momentum: m, the weight of the old value, in [0, 1].
        old: The average before, (D,).
        new: The batch mean or variance, as ``batch_norm`` returns it, (D,).

    Raises:
        ValueError: ``momentum`` is outside [0, 1], or ``old`` has another shape than ``new``.
    """
    before = as_vector("old", old, len(new.value), LARGEST_VARIANCE)
    value = oracle.running_average(momentum, before, new.value)
    nothing = np.zeros_like(before)
    error = derived.ema_error(momentum, nothing, new.error, before, new.value)
    return Enclosure(value, Bound.of(error).allowed)


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """The operands of a call: x as rows, (N, D), and as it was given; γ and β; ε."""

    shape: tuple[int, ...]
    given: str
    rows: Float64
    state: State
    eps: float
    axis: int
    conventions: Conventions

    @classmethod
    def of(
        cls, x: Any, gamma: Any, beta: Any, eps: float, axis: int, *, one_pass: bool = False
    ) -> _Call:
        rows = as_rows(x, axis)
        check_rows(len(rows))
        width = rows.shape[1]
        of_gamma, of_beta = as_vector("gamma", gamma, width), as_vector("beta", beta, width)
        state = State(of_gamma, of_beta, np.zeros(width), np.ones(width))
        declared = {Deviation.ONE_PASS_VARIANCE} if one_pass else set()
        dtype = np.asarray(x).dtype.name
        conventions = Conventions(frozenset(declared))
        return cls(np.shape(x), dtype, rows, state, check_eps(eps), axis, conventions)

    @property
    def config(self) -> Config:
        return Config(features=self.rows.shape[1], eps=self.eps)

    def output(self, y: Float64, z: Float64, bound: Bound, dtype: Any) -> Enclosure:
        """Return y, (N, D), in the shape of x, with the error of an output of the given dtype."""
        name = self._output_dtype(dtype)
        error = derived.rounded_output(bound, z, y, self.state, name).allowed
        if name == "float16":
            limited = derived.representable(z, y, bound, self.state)
            error = np.where(limited, error, np.inf)
        return self._as_given(y, error)

    def gradients(self, cotangent: Any) -> Gradients:
        """Return the gradients, dx in the shape of x."""
        w = cotangent_rows(self.shape, cotangent, self.axis)
        exact = oracle.gradients(self.rows, self.state.gamma, self.eps, w)
        arguments = (self.config, self.state, self.rows, w)
        found = derived.training_gradient(*arguments, self.conventions)
        error = found.x.allowed
        if self.given in SPACING_AT_ZERO:
            narrow, limited = derived.narrowed_gradient(
                *arguments, found.x, self.given, self.conventions
            )
            error = np.where(limited, narrow.allowed, np.inf)
        return Gradients(
            x=self._as_given(exact.x, error),
            gamma=Enclosure(exact.gamma, found.gamma.allowed),
            beta=Enclosure(exact.beta, found.beta.allowed),
        )

    def _as_given(self, value: Float64, error: Float64) -> Enclosure:
        shape, axis = self.shape, self.axis
        return Enclosure(as_batch(value, shape, axis), as_batch(error, shape, axis))

    def _output_dtype(self, dtype: Any) -> str:
        if dtype is None:
            return self.given if self.given in SPACING_AT_ZERO else "float32"
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        if name not in ("float32", *SPACING_AT_ZERO):
            msg = f"dtype={dtype!r}: expected 'float32', 'bfloat16' or 'float16'"
            raise ValueError(msg)
        return name
