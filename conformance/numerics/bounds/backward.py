"""Error bounds for gradients: of the loss Σ w·y, with respect to gamma, beta and x.

Notation as in the package, except that w, (N, D), is the cotangent of y, so v + ε is written
out. Further: r̂ = r·(1+δ) with |δ| ≤ ρ is the computed inverse root; t = x−μ; a = e_μ·r is the
error of a centred row in units of z, and rows may have different ones; G = mean(w·z);
G₁ = mean|w|; G₂ = mean|w·z|, so that |Ĝ| ≤ G₂ + a·G₁ but for rounding; R = (max x − min x)·r.
x, t, z, w and dx are (N, D), all other letters (D,).

Admitted are the derivatives that JAX takes of every admitted algorithm, and hand-written ones,
in three terms, γr·(w − mean(w) − z·mean(wz)), or merged, (γr/N)·(N·w − dβ − z·dγ).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics import oracle
from conformance.numerics.bounds.accuracy import FLUSHED, Bound, Float64, U
from conformance.numerics.bounds.forward import inverse_root_error
from conformance.numerics.bounds.moments import statistics
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State


@dataclass(frozen=True, slots=True)
class GradientBounds:
    """Bounds for the three gradients of one call: gamma and beta, (D,), and x, (N, D)."""

    gamma: Bound
    beta: Bound
    x: Bound


@dataclass(frozen=True, slots=True)
class Batch:
    """Intermediate quantities of the bounds for one size of e_v, in units of z.

    Attributes:
        z, w, size: z, the cotangent w of y, and |x|·r, each (N, D).
        r, rho, shift, center: r = 1/√(v+ε), ρ, a = e_μ·r and |μ|·r, each (D,).
    """

    z: Float64
    w: Float64
    r: Float64
    rho: Float64
    shift: Float64
    size: Float64
    center: Float64

    @property
    def h(self) -> int:
        """N−1, additions at most that a summand passes through."""
        return len(self.w) - 1

    @property
    def terms(self) -> Float64:
        """M−1, (D,), for M rows in which w is not 0: to add zeros is exact, in any order."""
        return additions(self.w)

    @property
    def pulled(self) -> Float64:
        """G₁ = mean|w|."""
        mean: Float64 = np.abs(self.w).mean(axis=0)
        return mean

    @property
    def projected(self) -> Float64:
        """G₂ = mean|w·z|."""
        mean: Float64 = np.abs(self.w * self.z).mean(axis=0)
        return mean


def training_gradient(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    conventions: Conventions = STRICT,
    *,
    errors: tuple[Bound, Bound] | None = None,
) -> GradientBounds:
    """Return the bounds for the gradients of a training call.

    Args:
        config: ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        conventions: The conventions that the layer declares.
        errors: The bounds for mean and variance, (D,), if not those of ``statistics``.
    """
    x64, w64 = oracle.float64(x), oracle.float64(w)
    mean, var = oracle.statistics(x64)
    e_mean, e_var = errors or statistics(x64, conventions)
    gamma = np.abs(state.gamma.astype(np.float64))

    def both(e_var: Float64, *, one_pass: bool) -> tuple[Float64, Float64]:
        batch = batch_of(x64, w64, mean, var, e_mean.strict, e_var, config.eps)
        lost = e_var >= var
        return gain_error(batch), gamma * input_error(batch, x64, lost, one_pass=one_pass)

    one_pass = conventions.admits_one_pass()
    strict = both(e_var.strict, one_pass=False)
    same = e_var.allowed is e_var.strict and not one_pass
    wider = strict if same else both(e_var.allowed, one_pass=one_pass)
    return GradientBounds(
        gamma=Bound.of(strict[0], wider[0]),
        beta=Bound.of(offset_error(w64)),
        x=Bound.of(strict[1], wider[1]),
    )


def evaluation_gradient(
    config: Config, state: State, x: npt.ArrayLike, w: npt.ArrayLike
) -> GradientBounds:
    """Return the bounds for the gradients of an evaluation call: e_μ = e_v = 0.

    dx = w·(γ·r) in any association: r errs by ρ = 4u, three products by u each.

    Args:
        config: ε of the layer.
        state: γ, β, rm and rv, each (D,).
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
    """
    x64, w64 = oracle.float64(x), oracle.float64(w)
    mean, var = state.running_mean.astype(np.float64), state.running_var.astype(np.float64)
    exact = np.zeros_like(mean)
    batch = batch_of(x64, w64, mean, var, exact, exact, config.eps)
    scale = np.abs(state.gamma.astype(np.float64)) * batch.r
    return GradientBounds(
        gamma=Bound.of(gain_error(batch)),
        beta=Bound.of(offset_error(w64)),
        x=Bound.of(np.abs(w64) * scale * (batch.rho + 3 * U) + FLUSHED * scale),
    )


def batch_of(
    x: Float64, w: Float64, mean: Float64, var: Float64, e_mean: Float64, e_var: Float64, eps: float
) -> Batch:
    """Return a batch in units of z.

    x and the cotangent w are (N, D); the mean and the variance that normalise x, and their
    errors, are (D,).
    """
    r = 1 / np.sqrt(var + eps)
    return Batch(
        z=(x - mean) * r,
        w=w,
        r=r,
        rho=inverse_root_error(var, e_var, eps),
        shift=e_mean * r,
        size=np.abs(x) * r,
        center=np.abs(mean) * r,
    )


def additions(w: Float64) -> Float64:
    """Return how many additions a summand of Σ w passes through at most, (D,)."""
    terms: Float64 = np.maximum(np.count_nonzero(w, axis=0) - 1, 0).astype(np.float64)
    return terms


def offset_error(w: Float64) -> Float64:
    """Return the bound for dβ = Σ w, (D,): (h+2)·u·Σ|w|, where h counts w that are not 0."""
    error: Float64 = (additions(w) + 2) * U * np.abs(w).sum(axis=0)
    return error


def projection_error(batch: Batch) -> Float64:
    """Return the bound for mean(w·t̂)·r, without the error of r, (D,).

    Sums: (h+4)·u·G₂ with the roundings of t and of two products. Centring: a·G₁.
    The derivative of the fused form x·s + (β−μ·s) yields Σ w·x − μ·Σ w instead of Σ w·t, and
    cancels: (h+4)·u·(mean|w·x| + |μ|·G₁)·r. Here h counts the rows in which w is not 0.
    """
    fused = (np.abs(batch.w) * batch.size).mean(axis=0) + batch.center * batch.pulled
    error: Float64 = (batch.terms + 4) * U * (batch.projected + fused) + batch.shift * batch.pulled
    return error


def gain_error(batch: Batch) -> Float64:
    """Return the bound for dγ = N·r·mean(w·t), (D,).

    r errs by ρ and everything else is multiplied by r̂ ≤ r·(1+ρ); two products are in reserve.
    """
    inside = projection_error(batch)
    rho = batch.rho
    error: Float64 = (rho + 2 * U) * batch.projected + (1 + rho) * inside
    return len(batch.w) * error


def input_error(
    batch: Batch, x: Float64, lost: npt.NDArray[np.bool_], *, one_pass: bool
) -> Float64:
    """Return the bound for dx = γ·(r·(w − mean(w)) − r³·t·mean(w·t)), divided by |γ|, (N, D).

    First part: rows may see different roundings of r, so ρ·(|w|+G₁).
    Second part, with c = (1+ρ)³ ≥ (r̂/r)³, which stays sound when ρ is not small:
    - r̂³ instead of r³: (c−1)·|z|·G₂;
    - t̂ instead of t: c·a·|Ĝ|, and where a derivative reaches x through μ, too, mean(t̂) ≠ 0
      adds as much again: 2c·a·(G₂+a·G₁);
    - Ĝ instead of G: c·|z|·``projection_error``.
    Rounding of sums and products: c·u·(10·|w| + (h+10)·(G₁ + (|z|+R)·(G₂+a·G₁))), since no sum
    over rows has w itself in it. The term with R
    is for sums that cancel: the adjoint of a running mean in an updating algorithm, which is
    divided by its count, reaches R·G₂; with one mean for all rows it would be mean|z| ≤ R.
    The first row gets the adjoint of the shift where x is shifted by it: a sum over all rows
    that cancels, hence c·(h+5)·u·N·(G₁ + 2R·(G₂+a·G₁)) more.
    A variance clamped at zero has no derivative, so where e_v ≥ v all of |z|·G₂ may be lost.
    One pass: 2x/N − 2μ/N adds 8u·(|x|+|μ|)·r·|Ĝ|·c.
    """
    h, a, rho = batch.h, batch.shift, batch.rho
    z, w, g1, g2 = np.abs(batch.z), np.abs(batch.w), batch.pulled, batch.projected
    c = (1 + rho) ** 3
    g = g2 + a * g1
    spread = np.ptp(x, axis=0) * batch.r
    direct = rho * (w + g1)
    through_var = (c - 1) * z * g2 + c * (2 * a * g + z * projection_error(batch))
    rounding = c * U * (10 * w + (h + 10) * (g1 + (z + spread) * g))
    total = direct + through_var + rounding + np.where(lost, z * g2, 0.0)
    total[0] += c * (h + 5) * U * len(w) * (g1 + 2 * spread * g)
    if one_pass:
        total += c * 8 * U * (batch.size + batch.center) * g
    error: Float64 = batch.r * (total + FLUSHED)
    return error


def total(parts: Sequence[Float64], bounds: Sequence[Bound]) -> Bound:
    """Return the bound for the sum of k gradients, (D,): theirs, and (k−1)·u of every part."""
    size: Float64 = sum((np.abs(part) for part in parts[1:]), start=np.abs(parts[0]))
    rounding = Bound.of((len(parts) - 1) * U * size)
    return sum(bounds, start=rounding)


def step(old: npt.ArrayLike, gradient: Float64, bound: Bound, rate: float, decay: float) -> Bound:
    """Return the bound for old − rate·(gradient + decay·old), one step of descent, (D,).

    Four operations round numbers of at most |old|·(1 + rate·decay) + rate·|gradient|.

    Args:
        old: gamma or beta before the step, (D,).
        gradient: The exact gradient, (D,).
        bound: The bound for the gradient, (D,).
        rate: The learning rate.
        decay: The weight decay.
    """
    p = np.abs(np.asarray(old, np.float64))
    size = p * (1 + rate * decay) + rate * np.abs(gradient)
    return bound.scaled(rate) + Bound.of(5 * U * size)
