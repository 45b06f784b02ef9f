"""LARGE: what a large batch shows, and what is said where a layer cannot be judged on one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties import PROPERTIES
from conformance.properties.support import attempts
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome
from impl.faulty import FAULTS
from impl.stepwise import StepwiseBatchNorm

LARGE_1 = REQUIREMENTS["BN-LARGE-1"]


def judged(layer: type, row=LARGE_1, **chosen):
    implementation = Implementation.nnx(layer, name="layer")
    return judge_requirement(row, Subject(implementation), budget(minimize=False, **chosen))


class OtherConstantAbove5000(StepwiseBatchNorm):
    """Right up to 5000 rows."""

    def batch_var(self, x, mean):
        return super().batch_var(x, mean) * (1.001 if x.shape[0] > 5000 else 1)


class OutOfMemory(StepwiseBatchNorm):
    """Has no memory for more than 60 000 rows."""

    def batch_mean(self, x):
        if x.shape[0] > 60_000:
            msg = "RESOURCE_EXHAUSTED: Out of memory allocating 17180393472 bytes."
            raise RuntimeError(msg)
        return super().batch_mean(x)


class Raises(StepwiseBatchNorm):
    """Raises something else."""

    def batch_mean(self, x):
        if x.shape[0] > 60_000:
            raise ValueError("too many rows")
        return super().batch_mean(x)


def test_a_small_error_above_some_size_is_found():
    """A variance that is a thousandth too large for more than 5000 rows violates a MUST."""
    verdict = judged(OtherConstantAbove5000)
    assert verdict.outcome is Outcome.VIOLATES
    assert verdict.violation is not None
    assert verdict.violation.values["drawn"]["fields"]["rows"] > 5000


def test_every_seed_draws_other_batches():
    """A layer cannot know the batches: signs, sizes, constants and states depend on the seed."""
    fault = FAULTS["unbiased-above-5000"].implementation
    found = set()
    for seed in range(3):
        chosen = budget(seed=seed, minimize=False)
        verdict = judge_requirement(LARGE_1, Subject(fault), chosen)
        assert verdict.violation is not None
        found.add(repr(verdict.violation.values))
    assert len(found) == 3


def test_a_slow_layer_is_not_judged_where_it_would_take_too_long(monkeypatch: pytest.MonkeyPatch):
    """The verdict says at which sizes, and why; the others count."""
    expected = {65537 * 4: 61.0}
    monkeypatch.setattr(attempts, "expected_seconds", lambda _, size: expected.get(size, 0.0))
    verdict = judged(StepwiseBatchNorm, profile="quick")
    assert verdict.outcome is Outcome.CONFORMS
    assert verdict.left_out == "65,537 × 4 (time: about 61 s, by the sizes before)"
    assert verdict.comparisons > 0


def test_a_layer_without_memory_is_not_judged_there():
    """Nor is it accused; the message is quoted."""
    verdict = judged(OutOfMemory, profile="quick")
    assert verdict.outcome is Outcome.CONFORMS
    assert verdict.left_out.startswith(
        "65,537 × 4 and larger (memory: RuntimeError: RESOURCE_EXHAUSTED"
    )


def test_another_exception_is_a_violation():
    """Only a lack of memory or of time is an excuse."""
    verdict = judged(Raises, profile="quick")
    assert verdict.outcome is Outcome.VIOLATES
    assert not verdict.left_out


def test_a_long_start_does_not_count():
    """Compiling takes the same time for all sizes: what counts is how the time grows."""
    assert attempts.expected_seconds({}, 100) == 0
    assert attempts.expected_seconds({4000: 9.0}, 16_000) == 36
    assert attempts.expected_seconds({4000: 9.0, 16_000: 9.1}, 256_000) < 12
    assert attempts.expected_seconds({4000: 1.0, 16_000: 13.0}, 256_000) == 253
    close = {4000: 1.0, 524_288: 1.0, 524_292: 1.5}
    assert attempts.expected_seconds(close, 2_000_000) < 4


@pytest.mark.parametrize("profile", ["quick", "default", "thorough"])
def test_sizes_grow(profile: str):
    """So the time at one size says whether the next would take too long."""
    for name in ("BN-LARGE-1", "BN-LARGE-2", "BN-LARGE-3"):
        palettes = PROPERTIES[name].palettes_of(profile)
        sizes = [entry.rows * entry.features for (entry,) in palettes]
        assert sizes == sorted(sizes)


class NoMemoryAbove4096(OutOfMemory):
    """Has no memory for any batch that is large."""

    def batch_mean(self, x):
        return super().batch_mean(x if x.shape[0] < 4097 else jnp.zeros((70_000, 1)))


def test_something_large_has_to_be_judged():
    """A layer that refuses all large batches does not pass as one that is right there."""
    verdict = judged(NoMemoryAbove4096, profile="quick")
    assert verdict.outcome is Outcome.VACUOUS
    assert verdict.detail.startswith("no batch of 4,097 rows or more could be judged; left out: ")


def test_what_is_wrong_below_the_limit_is_a_violation():
    """Left-out sizes excuse no wrong value at the others."""
    fault = FAULTS["no-memory-and-wrong-before"].implementation
    verdict = judge_requirement(LARGE_1, Subject(fault), budget("quick", minimize=False))
    assert verdict.outcome is Outcome.VIOLATES


def test_gradients_are_not_tried_where_calls_have_no_memory():
    """What one requirement found out, the next one knows; the other way round it would not hold."""
    subject = Subject(Implementation.nnx(OutOfMemory, name="layer"))
    subject.too_large["rows"] = 4097, "4,097 × 4 and larger (time)"
    verdict = judge_requirement(REQUIREMENTS["BN-LARGE-3"], subject, budget("quick"))
    assert verdict.left_out == "4,097 × 4 and larger (time)"
    assert verdict.outcome is Outcome.VACUOUS


class CompiledUnrolled(StepwiseBatchNorm):
    """Compiles the unrolled sum of its rows."""

    def batch_mean(self, x):
        return jax.jit(lambda rows: sum(rows[1:], rows[0]) / len(rows))(list(jnp.asarray(x)))


def test_a_layer_whose_programs_are_too_large_is_not_judged():
    """It has shown why, so it is not accused; but nothing says that it is right there, either."""
    verdict = judged(CompiledUnrolled, REQUIREMENTS["BN-LARGE-3"], profile="quick")
    assert verdict.outcome is Outcome.UNSUPPORTED
    assert verdict.detail.startswith("its programs grow with the rows")
    assert "4,097 × 4 (time: a program of about" in verdict.left_out
