"""The extended domain: declared parts are judged, others are unsupported."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import impl.faulty
from conformance.adapters.domain import Options, Precision, Wider
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Capability, select
from conformance.requirements.verdict import Outcome
from impl import flax, reference
from impl.variants import VARIANTS
from impl.wide_batchnorm import DOMAIN, WideBatchNorm

ROWS = [row.id for row in select(REQUIREMENTS, ["ND,MASK,TYPE,SYNC"])]


def outcome_of(implementation: Implementation, requirement: str, cases: int = 100) -> Outcome:
    few = budget(max_examples=cases, minimize=False)
    return judge_requirement(REQUIREMENTS[requirement], Subject(implementation), few).outcome


def declare_domain(extended: Wider) -> Implementation:
    return Implementation.nnx(WideBatchNorm, name="declaring", wider=extended)


def test_every_capability_of_the_extended_domain_is_needed():
    """No capability is declared in vain, and each row needs exactly one."""
    assert {REQUIREMENTS[row].needs for row in ROWS} == set(DOMAIN.capabilities)


@pytest.mark.parametrize("requirement", ROWS)
def test_what_is_not_declared_is_unsupported(requirement: str):
    """The plain reference and a plain layer of flax are not judged on it."""
    for made in (reference(), replace(flax(), wider=None)):
        assert outcome_of(made, requirement) is Outcome.UNSUPPORTED


@pytest.mark.parametrize(
    ("extended", "capabilities"),
    [
        (Wider(), set()),
        (Wider(ndim=True), {Capability.NDIM}),
        (Wider(mask="mask"), {Capability.MASK}),
        (Wider(axis_name="axis_name"), {Capability.SYNC}),
        (
            Wider(axis_name="axis_name", mask="mask"),
            {Capability.SYNC, Capability.MASK, Capability.MASKED_SYNC},
        ),
        (Wider(precisions=(Precision(x="bfloat16", y="bfloat16"),)), {Capability.DTYPES}),
        (
            Wider(precisions=(Precision(x="bfloat16", y="float32"),)),
            {Capability.DTYPES, Capability.DTYPES_GRAD},
        ),
        (Wider(precisions=(Precision(x="float64", y="float64"),)), {Capability.X64}),
    ],
)
def test_each_part_can_be_declared_alone(extended: Wider, capabilities: set[Capability]):
    """A declaration offers exactly the capabilities that it names."""
    plain = reference().capabilities - {Capability.FORWARD}
    assert declare_domain(extended).capabilities == plain | capabilities


def test_options_reach_the_constructor_under_its_own_names():
    """Options that are given are passed, if the layer has a name for them."""
    options = Options(axis=1, dtype="bfloat16", axis_name="i")
    given = {"axis": 1, "dtype": "bfloat16", "axis_name": "i"}
    assert DOMAIN.arguments(options) == given
    assert DOMAIN.arguments(Options()) == {}
    assert Wider(axis="feature_axis").arguments(options) == {"feature_axis": 1}


def test_an_untrue_declaration_violates():
    """An output or a state of another dtype than declared is reported."""
    for wrong in (
        Precision(x="bfloat16", y="bfloat16"),
        Precision(x="bfloat16", y="float32", state="bfloat16"),
    ):
        layer = declare_domain(replace(DOMAIN, precisions=(wrong,)))
        assert outcome_of(layer, "BN-TYPE-2") is Outcome.VIOLATES


def build_norm(**arguments: object) -> nnx.BatchNorm:
    rngs = nnx.Rngs(0)
    return nnx.BatchNorm(1, momentum=0.0, use_fast_variance=False, rngs=rngs, **arguments)


def nan_reaches_the_gradient() -> bool:
    x, kept = jnp.array([[jnp.nan], [1.0], [3.0]]), jnp.array([[False], [True], [True]])

    def loss(x: jax.Array) -> jax.Array:
        return jnp.where(kept, build_norm()(x, use_running_average=False, mask=kept), 0).sum()

    return bool(jnp.isnan(jax.grad(loss)(x)[1:]).any())


def nothing_kept_stores_nan() -> bool:
    layer = build_norm()
    layer(jnp.ones((2, 1)), use_running_average=False, mask=jnp.zeros((2, 1), bool))
    return bool(jnp.isnan(layer.mean[...]).any())


def spread_mean(kept: jax.Array) -> float:
    """Return the running mean of four zeros and four tens on two shards."""

    def train(x: jax.Array, kept: jax.Array) -> jax.Array:
        layer = build_norm(axis_name="i")
        layer(x, use_running_average=False, mask=kept)
        return layer.mean[...]

    x = jnp.array([0.0] * 4 + [10.0] * 4).reshape(2, 4, 1)
    return float(jax.vmap(train, axis_name="i")(x, kept)[0, 0])


def shards_weigh_the_same() -> bool:
    kept = jnp.array([True] * 5 + [False] * 3).reshape(2, 4, 1)
    return abs(spread_mean(kept) - 2) > 1e-3


def an_empty_shard_stores_nan() -> bool:
    return bool(np.isnan(spread_mean(jnp.array([True] * 4 + [False] * 4).reshape(2, 4, 1))))


def evaluation_rounds_the_mean() -> bool:
    layer = build_norm(dtype=jnp.bfloat16)
    layer.mean[...] = jnp.array([300.7])
    y = layer(jnp.array([[300.0]], jnp.bfloat16), use_running_average=True)
    return abs(float(y[0, 0]) + 0.7) > 0.1


@pytest.mark.parametrize(
    ("requirement", "by_hand"),
    [
        ("BN-ND-1", lambda: False),
        ("BN-MASK-1", lambda: False),
        ("BN-MASK-2", nan_reaches_the_gradient),
        ("BN-MASK-3", nothing_kept_stores_nan),
        ("BN-TYPE-1", evaluation_rounds_the_mean),
        ("BN-TYPE-2", lambda: False),
        ("BN-TYPE-3", lambda: False),
        ("BN-TYPE-4", lambda: False),
        ("BN-SYNC-1", lambda: False),
        ("BN-SYNC-2", shards_weigh_the_same),
        ("BN-SYNC-3", an_empty_shard_stores_nan),
    ],
)
def test_flax_violates_exactly_what_is_seen_by_hand(requirement: str, by_hand: partial[bool]):
    """What the suite says of flax, whatever its version, a few lines without the suite confirm."""
    found = outcome_of(flax(), requirement) is Outcome.VIOLATES
    assert found == by_hand()


def test_the_reference_knows_an_axis_only_where_it_needs_one():
    """Construction and evaluation of a layer with a named axis work outside of it."""
    extended = VARIANTS["wide"].wider
    assert extended is not None
    layer = extended.build(Config(features=2), Options(axis_name="i"))
    y, _ = layer.pure(layer.arrays, jnp.ones((3, 2)), True, None)
    assert y.shape == (3, 2)


def test_names_of_the_reference_are_no_modules():
    """No submodule replaces a function of the package by its name."""
    assert impl.faulty.FAULTS
    assert all(callable(getattr(impl, name)) for name in impl.__all__)
