"""Precision: cases of declared dtypes only, and 64-bit mode."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from conformance.adapters.domain import Precision, Wider
from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.deviations import Deviation
from conformance.requirements.verdict import Outcome
from impl.variants import VARIANTS
from impl.wide_batchnorm import DOMAIN, WideBatchNorm


def outcome_of(implementation: Implementation, requirement: str, cases: int = 100) -> Outcome:
    few = budget(max_examples=cases, minimize=False)
    return judge_requirement(REQUIREMENTS[requirement], Subject(implementation), few).outcome


def declare_domain(extended: Wider) -> Implementation:
    return Implementation.nnx(WideBatchNorm, name="declaring", wider=extended)


def test_an_undeclared_dtype_makes_no_case():
    """Whoever declares bfloat16 alone is judged on bfloat16 alone."""
    alone = replace(DOMAIN, precisions=(Precision(x="bfloat16", y="float32"),))
    few = budget(minimize=False)
    verdict = judge_requirement(REQUIREMENTS["BN-TYPE-1"], Subject(declare_domain(alone)), few)
    assert verdict.outcome is Outcome.CONFORMS
    assert 0 < verdict.rejected < verdict.cases


def test_64_bit_mode_is_left_again():
    """Judging float64 leaves JAX in the mode it was in."""
    assert outcome_of(VARIANTS["wide"], "BN-TYPE-3", 10) is Outcome.CONFORMS
    assert not jax.config.jax_enable_x64
    assert jnp.ones(2).dtype == np.float32


@pytest.mark.parametrize("seed", range(3))
def test_training_by_averages_has_the_digits_of_what_it_stores(seed: int):
    """In float64 a layer may normalise with averages that it keeps as float32."""
    subject = Subject(VARIANTS["wide-averages-declared"])
    verdict = judge_requirement(REQUIREMENTS["BN-TYPE-3"], subject, budget(seed=seed))
    assert verdict.outcome is Outcome.DEVIATES


def test_a_declared_16_bit_output_has_no_gradients_to_compare():
    """Its cotangent would be rounded; the output of the layer is judged."""

    class Narrow(WideBatchNorm):
        def answered(self, y: jax.Array, x: object) -> jax.Array:
            del x
            return y.astype(jnp.bfloat16)

    extended = Wider(ndim=True, axis="axis")
    declared = {Deviation.output_in("bfloat16")}
    layer = Implementation.nnx(Narrow, name="narrow", wider=extended, deviations=declared)
    assert outcome_of(layer, "BN-ND-1") is Outcome.DEVIATES
    assert outcome_of(layer.read(strictly=True), "BN-ND-1") is Outcome.VIOLATES
