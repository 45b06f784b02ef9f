"""The backward pass in float64 as named steps, like the forward pass in ``model``.

Gradients are looked at only where every forward result is right, so the forward steps here are
those of the textbook. An alternative's bound is its own running error plus the bound of the true
gradient, which admits every way in which a gradient can be derived.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.diagnosis import textbook
from conformance.diagnosis.approximate import Approximate, Float64, average, exact, total
from conformance.diagnosis.reference_model import Model
from conformance.numerics import bounds, conventions
from conformance.numerics.state import State


@dataclass(frozen=True)
class Saved:
    """What a backward pass needs: the mean and variance used, r = 1/√(var+ε), z, and the arrays."""

    model: Model
    x: Approximate
    mean: Approximate
    var: Approximate
    r: Approximate
    z: Approximate
    of_mean: Approximate
    of_var: Approximate

    @property
    def gamma(self) -> Approximate:
        """γ, (D,)."""
        return self.model.gamma

    @property
    def beta(self) -> Approximate:
        """β, (D,)."""
        return self.model.beta

    @property
    def eps(self) -> float:
        """What is added to the variance."""
        return self.model.eps

    @property
    def rows(self) -> float:
        """N."""
        return float(self.x.shape[0])

    @property
    def bessel(self) -> float:
        """N/(N−1); 1 for a single row."""
        return self.rows / max(self.rows - 1, 1.0)

    @property
    def square(self) -> bool:
        """Whether N = D."""
        return self.x.shape[0] == self.x.shape[1]

    def with_z(self, z: Approximate) -> Saved:
        """Return the same with another z."""
        return replace(self, z=z)


class Gradients:
    """The gradients of Σ w·y that a model gives, for one call."""

    @staticmethod
    def saved_of(m: Model, x: Approximate, *, training: bool) -> Saved:
        """Return what the forward pass leaves for the backward pass."""
        if training:
            mean = textbook.mean_of(m, x)
            var = textbook.var_of(m, x, mean)
        else:
            mean, var = m.running_mean, m.running_var
        r = textbook.inverse_std(m, var)
        nothing = exact(np.zeros(x.shape[1]))
        return Saved(m, x, mean, var, r, (x - mean) * r, nothing, nothing)

    @staticmethod
    def evaluation_of(s: Saved) -> Approximate:
        """Return γ/√(rv+ε)."""
        scale: Approximate = BACKWARD["gradient_scale"](
            Gradients.saved_of(s.model, s.x, training=False)
        )
        return scale


def gain_gradient(s: Saved, w: Approximate) -> Approximate:
    """Return dγ = Σ w·z, (D,)."""
    return total(w * s.z, 0)[0]


def offset_gradient(s: Saved, w: Approximate) -> Approximate:
    """Return dβ = Σ w, (D,)."""
    del s
    return total(w, 0)[0]


def input_gradient(s: Saved, w: Approximate) -> Approximate:
    """Return γ·r·(w − mean(w) − z·mean(w·z)), (N, D)."""
    m = s.model
    inside = w - m.do("centre", s, w) - m.do("projection", s, w)
    dx: Approximate = m.do("gradient_scale", s) * inside
    return dx


def evaluation_gradient(s: Saved, w: Approximate) -> Approximate:
    """Return γ·r·w, (N, D)."""
    dx: Approximate = s.model.do("gradient_scale", s) * w
    return dx


BACKWARD: dict[str, Callable[..., Any]] = {
    "cotangent": lambda _, w: w,
    "residual": lambda s: s,
    "gain_gradient": gain_gradient,
    "offset_gradient": offset_gradient,
    "input_gradient": input_gradient,
    "evaluation_gradient": evaluation_gradient,
    "gradient_scale": lambda s: s.gamma * s.r,
    "centre": lambda _, w: average(w, 0)[0],
    "projection": lambda s, w: s.z * average(w * s.z, 0)[0],
    "finished_gradient": lambda _, dx: dx,
    "through_statistics": lambda s: exact(np.zeros(s.x.shape)),
    "updates": lambda _: 1,
}
"""Every step of the backward pass, a function of what was saved (and of w)."""


class _Backward(Model):
    """A model whose steps are those of the backward pass; they do not take the model."""

    def do(self, step: str, *given: Any) -> Any:
        if step not in BACKWARD:
            return super().do(step, *given)
        function = self.steps.get(step) if self.active else None
        return (function or BACKWARD[step])(*given)


def gradients(model: Model, x: Float64, w: Float64, *, training: bool) -> dict[str, Approximate]:
    """Return dγ, dβ (D,) and dx (N, D) with bounds."""
    m = backward_model(model)
    s = m.do("residual", Gradients.saved_of(m, exact(x), training=training))
    cotangent = m.do("cotangent", s, exact(w))
    dx = m.do("input_gradient" if training else "evaluation_gradient", s, cotangent)
    found = {
        "gradient of gamma": m.do("gain_gradient", s, cotangent),
        "gradient of beta": m.do("offset_gradient", s, cotangent),
        "gradient of x": m.do("finished_gradient", s, dx),
    }
    slack = _slack(model, x, w, training=training)
    return {name: Approximate(a.value, _wider(a, slack[name])) for name, a in found.items()}


def _wider(a: Approximate, slack: Float64) -> Float64:
    finite: Float64 = np.where(np.isfinite(a.value), a.error + slack, a.error)
    return finite


def backward_model(model: Model) -> _Backward:
    """Return the same model with the steps of the backward pass."""
    made = _Backward(model.config, model.accuracy, model.steps)
    made.hold(model.held())
    made.active, made.count = model.active, model.count
    return made


def through_statistics(model: Model, x: Float64, of_mean: Float64, of_var: Float64) -> Approximate:
    """Return the gradient of Σ of_mean·rm' + Σ of_var·rv' with respect to x, (N, D)."""
    m = backward_model(model)
    s = Gradients.saved_of(m, exact(x), training=True)
    given: Approximate = m.do(
        "through_statistics", replace(s, of_mean=exact(of_mean), of_var=exact(of_var))
    )
    return given


def updated(model: Model, x: Float64) -> dict[str, Approximate]:
    """Return the running statistics after a gradient was taken of one training call."""
    m = backward_model(model)
    for _ in range(m.do("updates", None)):
        mean = textbook.mean_of(m, exact(x))
        var = textbook.var_of(m, exact(x), mean)
        textbook.update(m, exact(x), *textbook.stored(m, exact(x), mean, var))
        m.count = conventions.counted(m.count)
    return {name: m.held()[name] for name in ("running_mean", "running_var")}


def _slack(model: Model, x: Float64, w: Float64, *, training: bool) -> dict[str, Float64]:
    state = State(*(a.value for a in model.held().values()))
    if training:
        limit = bounds.training_gradient(model.config, state, x, w, model.accuracy)
    else:
        limit = bounds.evaluation_gradient(model.config, state, x, w)
    return {
        "gradient of gamma": limit.gamma.allowed,
        "gradient of beta": limit.beta.allowed,
        "gradient of x": limit.x.allowed,
    }
