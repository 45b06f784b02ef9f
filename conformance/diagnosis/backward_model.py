"""The backward pass in float64 as steps of a model, like the forward pass.

Gradients are examined only where every forward result is correct, so the forward steps here are
those of the textbook. The bound of an alternative is its running error plus the bound of the true
gradient, which allows every way to derive a gradient.

Letters: w is the cotangent of y, (N, D); r = 1/√(var+ε), (D,); z = (x−mean)·r, (N, D).
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from inspect import isfunction

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64, average, exact, total
from conformance.diagnosis.reference_model import ReferenceModel
from conformance.numerics import bounds
from conformance.numerics.state import State


@dataclass
class BackwardModel(ReferenceModel):
    """A model that stores the residuals of one forward pass for its backward pass.

    Attributes:
        x: The batch, (N, D).
        mean: The mean used to normalize, (D,).
        var: The variance used to normalize, (D,).
        r: 1/√(var+ε), (D,).
        z: (x−mean)·r, (N, D).
    """

    x: Approximate = field(init=False)
    mean: Approximate = field(init=False)
    var: Approximate = field(init=False)
    r: Approximate = field(init=False)
    z: Approximate = field(init=False)

    def after(self, x: Approximate, *, training: bool) -> BackwardModel:
        """Return this model after a forward pass.

        Args:
            x: The batch, (N, D).
            training: Whether it is a training call.
        """
        model = copy(self)
        model.install(self.installed)  # replaced steps are bound to one model
        model.x, model.rows = x, x.shape[0]
        model.mean, model.var = self.running_mean, self.running_var
        if training:
            model.mean = model.batch_mean(x)
            model.var = model.batch_var(x, model.mean)
        model.r = model.inverse_std(model.var)
        model.z = (x - model.mean) * model.r
        return model

    @property
    def bessel(self) -> float:
        """N/(N−1); 1 for a single row."""
        return self.rows / max(self.rows - 1, 1.0)

    @property
    def square(self) -> bool:
        """Whether N = D."""
        return self.x.shape[0] == self.x.shape[1]

    # The steps: each may be replaced.

    def cotangent(self, w: Approximate) -> Approximate:
        """Return w as the backward pass uses it, (N, D)."""
        return w

    def residual(self) -> Approximate:
        """Return z as the forward pass stores it, (N, D)."""
        return self.z

    def gamma_gradient(self, w: Approximate) -> Approximate:
        """Return dγ = Σ w·z, (D,)."""
        return total(w * self.z, 0)[0]

    def beta_gradient(self, w: Approximate) -> Approximate:
        """Return dβ = Σ w, (D,)."""
        return total(w, 0)[0]

    def input_gradient(self, w: Approximate) -> Approximate:
        """Return dx = γ·r·(w − mean(w) − z·mean(w·z)) of training, (N, D)."""
        inside = w - self.centring_term(w) - self.projection_term(w)
        return self.gradient_scale() * inside

    def evaluation_gradient(self, w: Approximate) -> Approximate:
        """Return dx = γ·r·w of evaluation, (N, D)."""
        return self.gradient_scale() * w

    def gradient_scale(self) -> Approximate:
        """Return γ·r, (D,)."""
        return self.gamma * self.r

    def centring_term(self, w: Approximate) -> Approximate:
        """Return the term through the mean: mean(w), (D,)."""
        return average(w, 0)[0]

    def projection_term(self, w: Approximate) -> Approximate:
        """Return the term through the variance: z·mean(w·z), (N, D)."""
        return self.z * average(w * self.z, 0)[0]

    def finish_gradient(self, dx: Approximate) -> Approximate:
        """Return dx as the call returns it, (N, D)."""
        return dx

    def statistics_gradient(self, of_mean: Approximate, of_var: Approximate) -> Approximate:
        """Return dx, (N, D), for cotangents of the next running statistics, (D,): zeros."""
        del of_mean, of_var
        return exact(np.zeros(self.x.shape))

    def updates(self) -> int:
        """Return how often the running statistics are updated while a gradient is computed."""
        return 1


BACKWARD_STEPS = frozenset(name for name, value in vars(BackwardModel).items() if isfunction(value))
"""The names of the steps of the backward pass."""


def gradients(
    model: BackwardModel, x: Float64, w: Float64, *, training: bool
) -> dict[str, Approximate]:
    """Return the gradients of Σ w·y with bounds: dγ, dβ (D,) and dx (N, D).

    Args:
        model: A model in the state before the call.
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        training: Whether it is a training call.

    Returns:
        The gradients by name.
    """
    m = model.after(exact(x), training=training)
    m.z = m.residual()
    cotangent = m.cotangent(exact(w))
    dx = m.input_gradient(cotangent) if training else m.evaluation_gradient(cotangent)
    found = {
        "gradient of gamma": m.gamma_gradient(cotangent),
        "gradient of beta": m.beta_gradient(cotangent),
        "gradient of x": m.finish_gradient(dx),
    }
    slack = _slack(model, x, w, training=training)
    return {name: Approximate(a.value, _widen(a, slack[name])) for name, a in found.items()}


def _widen(a: Approximate, slack: Float64) -> Float64:
    return np.where(np.isfinite(a.value), a.error + slack, a.error)


def through_statistics(
    model: BackwardModel, x: Float64, of_mean: Float64, of_var: Float64
) -> Approximate:
    """Return the gradient of Σ of_mean·rm' + Σ of_var·rv' with respect to x, (N, D).

    Args:
        model: A model in the state before the call.
        x: The batch, (N, D).
        of_mean: The cotangent of the running mean after the call, (D,).
        of_var: The cotangent of the running variance after the call, (D,).
    """
    m = model.after(exact(x), training=True)
    return m.statistics_gradient(exact(of_mean), exact(of_var))


def updated_statistics(model: BackwardModel, x: Float64) -> dict[str, Approximate]:
    """Return the running statistics, (D,) each, after a gradient of one training call.

    Args:
        model: A model in the state before the call.
        x: The batch, (N, D).
    """
    given = exact(x)
    for _ in range(model.updates()):
        mean, var = model.statistics(given)
        model.update(given, *model.stored_statistics(given, mean, var))
        model.count = model.conventions.counted(model.count)
    return {name: model.read()[name] for name in ("running_mean", "running_var")}


def _slack(model: BackwardModel, x: Float64, w: Float64, *, training: bool) -> dict[str, Float64]:
    state = State(*(a.value for a in model.read().values()))
    if training:
        limit = bounds.training_gradient(model.config, state, x, w, model.conventions)
    else:
        limit = bounds.evaluation_gradient(model.config, state, x, w)
    return {
        "gradient of gamma": limit.gamma.allowed,
        "gradient of beta": limit.beta.allowed,
        "gradient of x": limit.x.allowed,
    }
