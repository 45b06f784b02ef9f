"""Masks: their shapes, and the axes that they go with."""

from __future__ import annotations

from dataclasses import replace

import jax
import pytest

from conformance.adapters.domain import Wider
from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome
from impl import wide
from impl.wide_batchnorm import DOMAIN, WideBatchNorm


def outcome_of(implementation: Implementation, requirement: str, cases: int = 100) -> Outcome:
    few = budget(max_examples=cases, minimize=False)
    return judge_requirement(REQUIREMENTS[requirement], Subject(implementation), few).outcome


def declare_domain(extended: Wider) -> Implementation:
    return Implementation.nnx(WideBatchNorm, name="declaring", wider=extended)


def test_masks_have_the_shape_that_is_declared():
    """A layer that takes (N,) refuses (N, 1), and the other way round it is judged as well."""
    by_element = declare_domain(replace(DOMAIN, mask_by_row=False))
    assert outcome_of(by_element, "BN-MASK-1") is Outcome.VIOLATES
    assert outcome_of(wide(), "BN-MASK-1") is Outcome.CONFORMS


@pytest.mark.parametrize(("ndim", "ranks"), [(False, {2}), (True, {2, 3})])
@pytest.mark.parametrize("by_row", [True, False])
def test_masks_go_with_the_axes_that_are_declared(ndim: bool, ranks: set[int], by_row: bool):
    """Masked inputs have more axes only for a layer that takes them, and the mask has as many."""
    seen = set()

    class Seen(WideBatchNorm):
        def counting(self, mask: jax.Array | None, rows: jax.Array) -> jax.Array:
            if mask is None:
                return super().counting(mask, rows)
            seen.add(mask.ndim + 1 if by_row else mask.ndim)
            return super().counting(mask if by_row else mask[..., 0], rows)

    extended = replace(DOMAIN, ndim=ndim, mask_by_row=by_row)
    layer = Implementation.nnx(Seen, name="seen", wider=extended)
    for row in ("BN-MASK-1", "BN-MASK-2", "BN-MASK-3"):
        assert outcome_of(layer, row) is Outcome.CONFORMS
    assert seen == ranks
