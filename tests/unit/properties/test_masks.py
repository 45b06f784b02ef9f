"""Masks: their shapes, and the axes that they go with."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import pytest

from conformance.adapters.domain import Wider
from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome
from impl.variants import VARIANTS
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
    assert outcome_of(VARIANTS["wide"], "BN-MASK-1") is Outcome.CONFORMS


SHAPES = {
    # ndim, by row: the shapes of masks on inputs of six rows
    (False, True): {(6,)},
    (True, True): {(3, 2), (3,)},
    (False, False): {(6, 1), (1,)},
    (True, False): {(3, 2, 1), (3, 1, 1), (2, 1)},
}


@pytest.mark.parametrize("ndim", [False, True])
@pytest.mark.parametrize("by_row", [True, False])
def test_masks_have_every_shape_that_the_declaration_accepts(ndim: bool, by_row: bool):
    """Inputs have more axes only for a layer that takes them, and masks also have fewer axes."""
    seen = set()

    class Seen(WideBatchNorm):
        def __call__(self, x: Any, use_running_average: bool, mask: Any = None) -> Any:
            if mask is not None:
                seen.add((x.shape, mask.shape))
                free = mask[..., None] if by_row and mask.ndim < x.ndim - 1 else mask
                free = free[..., None] if by_row else free
                mask = jnp.broadcast_to(free, x.shape)[..., 0]
            return super().__call__(x, use_running_average, mask)

    extended = replace(DOMAIN, ndim=ndim, mask_by_row=by_row)
    layer = Implementation.nnx(Seen, name="seen", wider=extended)
    for row in ("BN-MASK-1", "BN-MASK-2", "BN-MASK-3"):
        assert outcome_of(layer, row) is Outcome.CONFORMS
    shaped = {mask for x, mask in seen if math.prod(x[:-1]) == 6}
    assert shaped - SHAPES[ndim, by_row] == set()
    assert SHAPES[ndim, by_row] - shaped <= {(1,)}  # which others have, too
    assert by_row or ndim or (1,) in {mask for _, mask in seen}
