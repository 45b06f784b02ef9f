"""Correct but unusual implementations conform: the suite accuses nobody falsely."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import chex
import numpy as np
import pytest
from flax import nnx
from support.sampling import exhaustive, sample_names, sample_parameters

from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.report.reproducers.construction_spec import blueprint_of
from conformance.requirements import REQUIREMENTS, Capability, Requirement, select
from conformance.requirements.deviations import Deviation
from conformance.requirements.verdict import Outcome, Verdict
from impl import flax, flax_default, reference
from impl.faulty import FAULTS
from impl.variants import VARIANTS

JUDGED = {
    "impl": reference,
    "flax": lambda: replace(flax(), wider=None),  # tests of the extended domain judge it there
    "flax-default": lambda: replace(flax_default(), wider=None),
} | {name: (lambda made=made: made) for name, made in VARIANTS.items()}
FEW = budget(max_examples=8)
WIDER = "ND,MASK,TYPE,SYNC,TRAIN-1,EMA-1,EMA-2,EVAL-1,STATE-3,GRAD-3,NUM-1"
"""Requirements that distinguish extended variants; their reference is judged on all."""
AGED = "EMA,EVAL,INIT,TRAIN-1,TRAIN-8,GRAD,STATE-3,SER-4,JIT-2,SCAN-1,SEQ"
"""Requirements that distinguish averages with an age; one such variant is judged on all."""
NARROW = "INIT-5,TRAIN-1,TRAIN-3,EMA,EVAL,STATE-5,SER-4,JIT-1,JIT-2,GRAD,SEQ,SHAPE-3,NUM"
"""What other dtypes of statistics or output touch."""


def requirements_for(name: str) -> list[str]:
    """Return the patterns that a variant is judged on; an empty list means all."""
    if name.startswith("wide-"):
        return [WIDER]
    if name.startswith(("bfloat16-", "float16-")):
        return [NARROW]
    return [AGED] if name in {"zero-debiased-sums-declared", "first-batch-declared"} else []


@cache
def family(name: str) -> str:
    """Return the module that defines the layer."""
    layer = blueprint_of(JUDGED[name]()).layer
    return layer.module if layer else "functional"


def rows_for(name: str, implementation: Implementation) -> list[Requirement]:
    """Return the requirements on which a variant is judged."""
    rows = select(REQUIREMENTS, requirements_for(name))
    rows = [row for row in rows if row.needs in implementation.capabilities]
    assert len(rows) >= (17 if requirements_for(name) else 56)
    return rows


def judge_and_check(
    name: str, implementation: Implementation, rows: list[Requirement]
) -> list[Verdict]:
    """Judge a variant, and assert that nothing is violated, vacuous or in error."""
    subject = Subject(implementation)
    verdicts = [judge_requirement(row, subject, FEW) for row in rows]
    bad = {v.requirement: (v.outcome, v.violation, v.detail) for v in verdicts if v.outcome.bad}
    known = {"BN-ERR-2"} if name.startswith("flax") and moves_before_it_raises() else set()
    assert set(bad) == known & {row.id for row in rows}, bad
    return verdicts


SAMPLE = sorted(sample_names(JUDGED, group=family, every=40))


def sample_rows(name: str, implementation: Implementation) -> list[Requirement]:
    """Return every eighth requirement; BN-SHAPE-1, which compiles for many shapes, for one."""
    turn = SAMPLE.index(name) % 8
    return [
        row
        for number, row in enumerate(rows_for(name, implementation))
        if (name == "impl" if row.id == "BN-SHAPE-1" else number % 8 == turn)
    ]


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_variants_conforms(name):
    """Of every eighth requirement, each variant from another one on, none is violated."""
    implementation: Implementation = JUDGED[name]()
    verdicts = judge_and_check(name, implementation, sample_rows(name, implementation))
    deviating = any(v.outcome is Outcome.DEVIATES for v in verdicts)
    assert not deviating or implementation.deviations


@exhaustive
@pytest.mark.parametrize("name", JUDGED)
def test_each_variant_conforms(name):
    """No requirement is violated, vacuous or in error; deviations are declared ones."""
    implementation: Implementation = JUDGED[name]()
    verdicts = judge_and_check(name, implementation, rows_for(name, implementation))
    deviating = any(v.outcome is Outcome.DEVIATES for v in verdicts)
    assert deviating == bool(implementation.deviations)


@pytest.mark.parametrize("name", sample_parameters(JUDGED, group=family, every=40))
def test_each_variant_is_finite(name):
    """Nothing becomes infinite or NaN in a few ordinary calls, whoever computes it."""
    layer = JUDGED[name]().build(Config(features=3))
    x = np.arange(24, dtype=np.float32).reshape(8, 3) / 7
    results = [np.asarray(layer(batch, False), np.float32) for batch in (x, 1 - x)]
    results.append(np.asarray(layer(x, True), np.float32))

    chex.assert_tree_all_finite((results, dict(layer.read())))


def moves_before_it_raises() -> bool:
    """Tell without the suite whether flax moves its statistics in a call on one feature."""
    layer = nnx.BatchNorm(2, use_fast_variance=False, rngs=nnx.Rngs(0))
    with pytest.raises(TypeError):
        layer(np.ones((2, 1), np.float32), use_running_average=False)
    return bool((layer.mean.get_value() != 0).any())


def test_one_pass_is_flagged_without_its_declaration():
    """The same algorithm conforms if declared and violates BN-NUM-1 if not."""
    undeclared = Subject(FAULTS["one-pass"].implementation)
    declared = VARIANTS["one-pass-declared"]
    row = REQUIREMENTS["BN-NUM-1"]

    assert judge_requirement(row, undeclared, budget()).outcome is Outcome.VIOLATES
    assert declared.deviations == {Deviation.ONE_PASS_VARIANCE}
    assert judge_requirement(row, Subject(declared), budget()).outcome is Outcome.DEVIATES


def test_variants_are_live_modules_or_pure():
    """Every variant is judged under transforms, too, and on the NNX requirements if it can be."""
    for name, made in VARIANTS.items():
        assert Capability.TRANSFORMS in made.capabilities
        assert (Capability.NNX in made.capabilities) != name.startswith("functional")
