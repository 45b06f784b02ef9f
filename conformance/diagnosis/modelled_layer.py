"""Alternatives as implementations: the code that diagnoses a mistake also makes it.

Every alternative for calls is a faulty layer and a faulty forward function in NumPy, so that a
mistake that is described once can be judged and diagnosed without a second implementation.
Results are computed in float64 and rounded to float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.adapters.calling import Layout
from conformance.adapters.design import PLAIN, Design
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config
from conformance.diagnosis.approximate import Approximate, Float64, exact
from conformance.diagnosis.backward_model import BackwardModel, through_statistics
from conformance.diagnosis.differences import gradients_of_model
from conformance.diagnosis.experiment import Call
from conformance.diagnosis.fault_model import constant_of
from conformance.diagnosis.fault_models import ALTERNATIVES
from conformance.diagnosis.model_state import Steps
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.reference_model import RaisesError, ReferenceModel
from conformance.diagnosis.scopes import Part, steps_of
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import Float32, State

_FORWARD = Config(features=0, momentum=0.9, eps=1e-5)
"""The configuration of forward functions, but for the number of features."""


_IMAGES = Design(layout=Layout(ndim=4))
"""Images: rows spread over three axes."""


class ModelledLayer:
    """A layer that is the reference model with replaced steps.

    Args:
        config: The configuration.
        parts: The mistakes.
        conventions: What the implementation declares.
        errors: Gets the error that y of each call, (N, D), may have in float32.
    """

    def __init__(
        self,
        config: Config,
        parts: tuple[Part, ...],
        conventions: Conventions = STRICT,
        errors: list[Float64] | None = None,
    ) -> None:
        self.errors = errors
        self._model = BackwardModel(config, conventions)
        self._parts = parts
        self._model.install(steps_of(parts, Observation(0, config, None)))
        self._model.write(self._model.initial_state())
        self.write(self.read())

    def __call__(self, x: Any, use_running_average: Any, *, compiled: bool = False) -> Float32:
        """Apply the layer to x, (N, D), and return y, (N, D).

        Raises:
            ValueError: The mistake is that the call raises.
        """
        self._decide(x, use_running_average, compiled=compiled)
        y, error = _run(self._model, "call", x, use_running_average, compiled=compiled)
        self.write(self.read())
        if self.errors is not None:
            self.errors.append(error)
        return y

    def spread(self, around: tuple[int, ...], axis: int) -> None:
        """Take the rows of the next calls as an input of several axes.

        Args:
            around: The lengths of the axes around the features.
            axis: The feature axis.
        """
        self._model.around, self._model.axis = around, axis

    def set_mode(self, evaluate: bool) -> None:
        """Put the module into a mode."""
        self._model.mode = evaluate

    def updates(self, x: Any, *, compiled: bool) -> int:
        """Return how often the running statistics are updated while a gradient is computed."""
        self._decide(x, False, compiled=compiled)
        return self._model.updates()

    def differentiate(self, x: Any, w: Any, flag: bool) -> list[Float64]:
        """Return the gradients of Σ w·y, w (N, D), for gamma and beta, (D,), and x, (N, D)."""
        model = deepcopy(self._model)
        self._decide(x, flag)
        model.install(self._model.installed)
        return gradients_of_model(model, np.asarray(x, np.float64), np.asarray(w, np.float64), flag)

    def differentiate_statistics(self, x: Any, of_mean: Any, of_var: Any) -> Float64:
        """Return the gradient for x, (N, D), of Σ of_mean·rm' + Σ of_var·rv', both (D,)."""
        model = deepcopy(self._model)
        given = [np.asarray(each, np.float64) for each in (x, of_mean, of_var)]
        return through_statistics(model, *given).value

    def _decide(self, x: Any, flag: Any, *, compiled: bool = False) -> None:
        """Make the mistakes in the next call whose scopes hold there."""
        container, earlier = _container_of(x), self._model.calls
        call = Call(np.asarray(x, np.float32), flag, container=container, compiled=compiled)
        before = State(**self.read())
        seen = Observation(0, self._model.config, call, before, earlier=earlier)
        self._model.install(steps_of(self._parts, seen))

    def read(self) -> Mapping[str, Float32]:
        """Return the four arrays by name, (D,)."""
        with np.errstate(over="ignore"):
            return {n: a.value.astype(np.float32) for n, a in self._model.read().items()}

    def write(self, values: Mapping[str, Float32]) -> None:
        """Replace arrays, (D,), by name."""
        self._model.write({n: exact(np.asarray(a, np.float64)) for n, a in values.items()})


class ModelledForward:
    """A forward function f(seed, x, flag) that is the reference model with replaced steps."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._memory: dict[str, Any] = {}

    def __call__(self, seed: Any, x: Any, use_running_average: Any) -> Float32:
        """Apply a fresh layer to x, (N, D), and return its result, (N·D,).

        Only a replaced ``forward`` can remember earlier calls.

        Raises:
            ValueError: The mistake is that the call raises.
        """
        config = replace(_FORWARD, features=np.shape(x)[1])
        model = ReferenceModel(config, forwarding=True)
        model.install(self._steps)
        model.memory = self._memory if "forward" in self._steps else {}
        return _run(model, "forward", x, use_running_average, seed)[0]


def _run(
    model: ReferenceModel, method: str, x: Any, flag: Any, *seed: Any, **more: Any
) -> tuple[Float32, Float64]:
    """Run a method of a model on x, (N, D), which a mistake may overwrite.

    Returns:
        The result, and the error that it may have in float32.
    """
    values = np.array(x, np.float64)
    model.container = _container_of(x)
    try:
        with np.errstate(all="ignore"):
            y: Approximate = getattr(model, method)(*seed, values, flag, **more)
            if "input_afterwards" in model.installed and isinstance(x, np.ndarray):
                x[...] = exact(model.input_afterwards(values)).value
            return y.value.astype(np.float32), y.error
    except RaisesError as error:
        msg = "the modelled call raises"
        raise ValueError(msg) from error


def _container_of(x: Any) -> str:
    """Return the name of the form in which x is passed; see ``Call.container``."""
    if not isinstance(x, np.ndarray):
        return "jax"
    if x.flags.c_contiguous or x.flags.f_contiguous:
        return "C" if x.flags.c_contiguous else "F"
    return "reversed" if min(x.strides) < 0 else "strided"


def modelled(identity: str) -> Implementation:
    """Return an alternative as an implementation that makes its mistake.

    Args:
        identity: The id of an alternative for calls.

    Returns:
        A layer in NumPy, and a forward function unless the mistake is that a layer remembers
        earlier calls, or concerns images. They have no gradients and are not compiled.

    Raises:
        ValueError: The alternative concerns gradients.
    """
    alternative = ALTERNATIVES[identity]
    if alternative.backward:
        msg = f"{identity!r} concerns gradients, which a layer in NumPy does not have"
        raise ValueError(msg)
    steps = alternative.steps(constant_of(alternative))
    remembers_layer = alternative.remembers and "forward" not in steps
    without_forward = remembers_layer or alternative.spread
    design = _IMAGES if alternative.spread else PLAIN
    return Implementation(
        name=identity,
        build=lambda config: ModelledLayer(config, (Part(steps),), Conventions(design=design)),
        forward=None if without_forward else ModelledForward(steps),
        design=design,
    )
