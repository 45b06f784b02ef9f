"""`conformance smoke` names each usual mistake of an adapter, and no other."""

from __future__ import annotations

import pytest
from support.mistaken_adapters import (
    AlwaysEvaluating,
    AlwaysTraining,
    Built,
    CountAlwaysZero,
    Counted,
    CountNotWritten,
    Cumulative,
    EpsNotPassed,
    Exchanged,
    FeaturesIgnored,
    FoldedOnce,
    Forgetful,
    GammaNotWritten,
    Inverted,
    KeepsWhatItIsGiven,
    ModeOfFirstCall,
    MomentumNotPassed,
    OtherNames,
    ReadsViews,
    ReturnsState,
    RootOfEps,
    RootOnRead,
    SharedByDefault,
    StandardDeviation,
    StatisticsExchanged,
    ThreeTurned,
    Transposed,
    WithoutWrite,
    WriteForgetsVariance,
    WriteRaises,
    WriteToNowhere,
)
from support.numpy_norm import NumpyNorm, OnePass, SwappedMomentum, Unbiased, implementation

from conformance.diagnosis.adapter_check import problems
from conformance.diagnosis.adapter_mistakes import MISTAKES
from conformance.properties.support.subject import Subject
from conformance.requirements.deviations import Deviation


def find_mistakes(layer: type[NumpyNorm]) -> list[str]:
    subject = Subject(implementation(layer))
    return [problem for _, mistake in MISTAKES if (problem := mistake(subject)) is not None]


def find_problems(layer: type[NumpyNorm]) -> list[str]:
    found = problems(Subject(implementation(layer)))
    return [problem for _, problem in found if problem is not None]


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
        (Forgetful, "state is not kept between calls: a second training call starts where"),
        (StandardDeviation, "running_var is used as a standard deviation"),
        (ThreeTurned, "the arrays are exchanged in both read and write"),
        (RootOfEps, "eps reaches the layer as its square root"),
        (ModeOfFirstCall, "the mode of the first call stays"),
        (FoldedOnce, "what is written after a call does not reach the layer"),
        (
            Cumulative,
            "a trained layer and its copy by `read` and `write` differ in running_mean after one "
            "more training call: if the layer counts its updates, declare that, and read and write "
            "`count`",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_mistake_is_named(layer, words):
    """The adapter with the mistake gets the message for it."""
    assert any(problem.startswith(words) for problem in find_mistakes(layer)), find_mistakes(layer)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (FeaturesIgnored, "gamma has shape (3,) where config.features is 5: pass config.features"),
        (Transposed, "y has shape (3, 2) for an input of shape (2, 3)"),
        (ReturnsState, "a call returned a tuple; return the array y alone"),
        (OtherNames, "read returned weight, bias, without gamma"),
        (RootOnRead, "running_var was written as [11. 12. 13.], read as [3.3"),
        (WriteForgetsVariance, "running_var was written as"),
        (WriteRaises, "writing the state raised KeyError: 'gama' (mistaken_adapters.py, line "),
        (WithoutWrite, "build returned a WithoutWrite, which lacks write"),
        (Built, "read returned nothing, without gamma"),
        (SharedByDefault, "training one layer changed running_mean of another"),
        (ReadsViews, "values read before a call changed with the call"),
        (ModeOfFirstCall, "the mode of the first call stays"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_only_the_first_broken_step_is_reported(layer, words):
    """Later checks would repeat the first problem, and are skipped."""
    reported = find_problems(layer)

    assert len(reported) == 1
    assert reported[0].startswith(words), reported


@pytest.mark.parametrize(
    ("layer", "which"), [(CountNotWritten, "a fresh"), (CountAlwaysZero, "a trained")]
)
def test_a_count_that_is_lost_between_read_and_write_is_named(layer, which):
    """Averages that know their age go on as before only with the count."""
    declared = {Deviation.FIRST_BATCH_REPLACES}
    found = [each for _, each in problems(Subject(implementation(layer, declared))) if each]

    assert found == [
        f"{which} layer and its copy by `read` and `write` differ in running_mean after one more "
        "training call: `count` must be the number of updates, 0 for a fresh layer, and be written "
        "back"
    ]


def test_a_count_that_is_read_and_written_has_no_problem():
    """Writing with the count 0 makes the layer a fresh one again."""
    subject = Subject(implementation(Counted, {Deviation.FIRST_BATCH_REPLACES}))

    assert not any(problem for _, problem in problems(subject))


def test_a_sound_adapter_has_no_step_that_fails():
    """Arrays that are kept and moved are not a mistake."""
    assert find_problems(KeepsWhatItIsGiven) == []


@pytest.mark.parametrize("layer", [NumpyNorm, OnePass, Unbiased])
def test_layers_are_not_taken_for_adapters(layer):
    """A sound adapter has no problem, whatever its layer computes."""
    assert find_mistakes(layer) == []
