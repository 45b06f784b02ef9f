"""Predicts calls with the model, and decides whether observations lie within its bounds.

The model propagates a bound for every number (see ``approximate``), which is enlarged by half
for algorithms that round more often than the textbook's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64, exact
from conformance.diagnosis.backward_model import (
    BackwardModel,
    gradients,
    through_statistics,
    updated_statistics,
)
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.reference_model import IMPOSSIBLE, RaisesError, ReferenceModel
from conformance.diagnosis.scopes import Part, steps_of
from conformance.numerics.conventions import Conventions

Quantities = dict[str, Approximate]

_IMPOSSIBLE = {"a prediction": exact(np.nan)}
"""The prediction where a mistake cannot be made at all: no observation agrees with it."""

_RESERVE = 1.5
_LARGEST = float(np.finfo(np.float32).max)
_FLUSHED = 1e-36
"""Subnormal results may be flushed to zero, and scaled afterwards."""


def largest_gap(predicted: Approximate) -> np.ndarray:
    """Return the largest difference between an observed number and a prediction of it."""
    return _RESERVE * predicted.error + _FLUSHED


def quantities_of(observation: Observation) -> Quantities:
    """Return the observed numbers of a call by name; none if the call raised."""
    found: Quantities = {}
    if observation.y is not None:
        found["y"] = exact(observation.y)
    if observation.after is not None:
        found |= {name: exact(a) for name, a in observation.after.arrays().items()}
    if observation.gradients is not None:
        found |= {name: exact(a) for name, a in observation.gradients.items()}
    if observation.x_after is not None:
        found["x afterwards"] = exact(observation.x_after)
    return found


def error_ratios(predicted: Quantities, seen: Quantities) -> dict[str, np.ndarray]:
    """Return |observed − predicted| ÷ bound by quantity; infinite where shapes differ.

    Non-finite numbers count as equal, because whether NaN or ∞ appears depends on the order of
    operations; so does a predicted number that overflows float32. A bound that is infinite or
    undefined claims nothing.

    Args:
        predicted: The predicted numbers by name.
        seen: The observed numbers by name.
    """
    result = {}
    for name, expected in predicted.items():
        got = seen.get(name)
        if got is None or got.shape != expected.shape:
            result[name] = np.array([np.inf])
            continue
        with np.errstate(all="ignore"):
            ratio = np.abs(got.value - expected.value) / largest_gap(expected)
            overflows = np.abs(expected.value) + np.fmax(expected.error, 0) > _LARGEST
        undefined = ~np.isfinite(got.value) & (~np.isfinite(expected.value) | overflows)
        unknown = np.isnan(expected.error) & np.isfinite(expected.value)
        free = undefined | unknown | np.isinf(expected.error)
        result[name] = np.where(free, 0, np.where(np.isnan(ratio), np.inf, ratio))
    return result


def agrees(predicted: Quantities | None, seen: Quantities, raised: str) -> bool:
    """Return whether a prediction agrees with a call.

    Args:
        predicted: The predicted numbers by name; None predicts an exception.
        seen: The observed numbers by name.
        raised: The exception that was raised, "" if there was none.
    """
    if predicted is None or raised:
        return predicted is None and bool(raised)
    return all((ratio <= 1).all() for ratio in error_ratios(predicted, seen).values())


@dataclass(slots=True)
class Predictor:
    """Predicts calls by the reference model, with steps replaced in some calls.

    Attributes:
        parts: The mistakes, in different steps.
        conventions: What the implementation declares.
    """

    parts: tuple[Part, ...]
    conventions: Conventions

    def model(self, observation: Observation) -> BackwardModel:
        """Return a model of a fresh layer."""
        return BackwardModel(observation.config, self.conventions)

    def one(
        self, observation: Observation, model: BackwardModel | None = None
    ) -> Quantities | None:
        """Predict one call.

        Args:
            observation: The call, and the state before it.
            model: A model with a memory of earlier calls; by default a fresh one.

        Returns:
            The predicted numbers by name, or None if the call is predicted to raise.
        """
        model = model or self.model(observation)
        model.install(steps_of(self.parts, observation))
        model.calls, model.config = observation.earlier, observation.config
        with np.errstate(all="ignore"):
            try:
                return _predict(model, observation)
            except RaisesError:
                return None
            except IMPOSSIBLE:
                return _IMPOSSIBLE

    def series(self, observations: list[Observation]) -> Iterator[Quantities | None]:
        """Yield the predictions of the calls of one layer, in order."""
        model = self.model(observations[0])
        for observation in observations:
            yield self.one(observation, model)


def _predict(model: BackwardModel, observation: Observation) -> Quantities:
    call = observation.call
    if call is None:
        return {name: exact(array) for name, array in model.initial_state().items()}
    x = call.x.astype(np.float64)
    model.container, model.around, model.axis = call.container, call.around, call.axis
    model.mode = call.mode
    if observation.before is None:
        model.forwarding = True
        y = model.forward(call.seed, x, call.flag)
        return {"y": y, "x afterwards": exact(model.input_afterwards(x))}
    model.write(observation.before)
    if call.cotangent is not None:
        return _predict_gradients(model, observation, x)
    y = model.call(x, call.flag, compiled=call.compiled)
    after = model.read()
    return {"y": y, **after, "x afterwards": exact(model.input_afterwards(x))}


def _predict_gradients(model: BackwardModel, observation: Observation, x: Float64) -> Quantities:
    call = observation.call
    assert call is not None, "called for gradients"  # noqa: S101
    assert call.cotangent is not None, "called for gradients"  # noqa: S101
    training = not ReferenceModel.evaluates(model, call.flag)  # the mode may be fixed
    if training:
        model.refuse_single_row(x.shape[0])
    w = call.cotangent.astype(np.float64)
    if call.kind == "update":
        return updated_statistics(model, x)
    if call.kind == "through":
        leaked = through_statistics(model, x, w[0], w[1])
        return {"gradient through the statistics": leaked}
    found = gradients(model, x, w, training=training)
    absent = {f"gradient of {name}" for name in model.conventions.design.absent}
    return {name: gradient for name, gradient in found.items() if name not in absent}
