"""`conformance smoke` names each usual mistake of an adapter, and no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy_norm import NumpyNorm, OnePass, SwappedMomentum, Unbiased, implementation

from conformance.mistakes import MISTAKES
from conformance.subject import Subject


class MomentumNotPassed(NumpyNorm):
    def __init__(self, config):
        super().__init__(replace(config, momentum=0.99))


class EpsNotPassed(NumpyNorm):
    def __init__(self, config):
        super().__init__(replace(config, eps=1e-5))


class Inverted(NumpyNorm):
    def __call__(self, x, use_running_average):
        return super().__call__(x, not use_running_average)


class AlwaysTraining(NumpyNorm):
    def __call__(self, x, _):
        return super().__call__(x, False)


class AlwaysEvaluating(NumpyNorm):
    def __call__(self, x, _):
        return super().__call__(x, True)


class WriteToNowhere(NumpyNorm):
    """What is written is kept for reading, and computed with nowhere."""

    shown: dict | None = None

    def read(self):
        return self.shown or super().read()

    def write(self, values):
        self.shown = super().read() | {name: np.array(value) for name, value in values.items()}


class GammaNotWritten(WriteToNowhere):
    def write(self, values):
        super().write(values)
        NumpyNorm.write(self, {name: v for name, v in values.items() if name != "gamma"})


class Exchanged(NumpyNorm):
    """Reading and writing exchange the same two arrays, so a round trip shows nothing."""

    names = ("gamma", "beta")

    def _exchanged(self, values):
        one, other = self.names
        turned = {one: other, other: one}
        return {turned.get(name, name): value for name, value in values.items()}

    def read(self):
        return self._exchanged(super().read())

    def write(self, values):
        super().write(self._exchanged(values))


class StatisticsExchanged(Exchanged):
    names = ("running_mean", "running_var")


class Forgetful(NumpyNorm):
    """Each call starts from what was written last."""

    start: dict | None = None

    def write(self, values):
        super().write(values)
        self.start = super().read()

    def __call__(self, x, use_running_average):
        if self.start is not None:
            self.arrays = {name: array.copy() for name, array in self.start.items()}
        return super().__call__(x, use_running_average)


def found(layer: type[NumpyNorm]) -> list[str]:
    subject = Subject(implementation(layer))
    return [problem for _, mistake in MISTAKES if (problem := mistake(subject)) is not None]


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (SwappedMomentum, "momentum is swapped"),
        (MomentumNotPassed, "momentum is not passed: the layer uses 0.99"),
        (EpsNotPassed, "eps is not passed: the layer uses 1e-05"),
        (Inverted, "the flag is inverted"),
        (AlwaysTraining, "the flag is ignored: a call with True trains"),
        (AlwaysEvaluating, "the flag is ignored: a call with False evaluates"),
        (WriteToNowhere, "write does not reach the layer: it computes with the arrays of a fresh"),
        (GammaNotWritten, "write does not reach the layer: it still computes with its first gamma"),
        (Exchanged, "gamma and beta are swapped"),
        (StatisticsExchanged, "running_mean and running_var are swapped"),
        (Forgetful, "state is not kept between calls"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_mistake_is_named(layer, words):
    """The adapter with the mistake is told so."""
    assert any(problem.startswith(words) for problem in found(layer)), found(layer)


@pytest.mark.parametrize("layer", [NumpyNorm, OnePass, Unbiased])
def test_layers_are_not_taken_for_adapters(layer):
    """A sound adapter has no problem, whatever its layer computes."""
    assert found(layer) == []
