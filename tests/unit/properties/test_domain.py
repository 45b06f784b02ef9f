"""A wider domain: what is declared is judged, what is not is unsupported, nothing else changes."""

from __future__ import annotations

import subprocess
import sys
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
from conformance.engine import jax_runtime
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Capability, select
from conformance.requirements.deviations import Deviation
from conformance.requirements.verdict import Outcome
from impl import flax, flax_wide, reference, wide
from impl.variants import VARIANTS
from impl.wide_batchnorm import DOMAIN, WideBatchNorm

ROWS = [row.id for row in select(REQUIREMENTS, ["ND,MASK,TYPE,SYNC"])]


def judged(implementation: Implementation, requirement: str, cases: int = 100) -> Outcome:
    few = budget(max_examples=cases, minimize=False)
    return judge_requirement(REQUIREMENTS[requirement], Subject(implementation), few).outcome


def declaring(wider: Wider) -> Implementation:
    return Implementation.nnx(WideBatchNorm, name="declaring", wider=wider)


# Declarations


def test_every_capability_of_a_wider_domain_is_needed():
    """No capability is declared in vain, and each row needs exactly one."""
    assert {REQUIREMENTS[row].needs for row in ROWS} == set(DOMAIN.capabilities)


@pytest.mark.parametrize("requirement", ROWS)
def test_what_is_not_declared_is_unsupported(requirement: str):
    """The plain reference and plain flax are not judged on it."""
    for made in (reference, flax):
        assert judged(made(), requirement) is Outcome.UNSUPPORTED


@pytest.mark.parametrize(
    ("wider", "capabilities"),
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
def test_each_part_can_be_declared_alone(wider: Wider, capabilities: set[Capability]):
    """A declaration offers what it names and nothing besides."""
    plain = reference().capabilities - {Capability.FORWARD}
    assert declaring(wider).capabilities == plain | capabilities


def test_options_reach_the_constructor_under_its_own_names():
    """Options that are given are passed, if the layer has a name for them."""
    options = Options(axis=1, dtype="bfloat16", axis_name="i")
    given = {"axis": 1, "dtype": "bfloat16", "axis_name": "i"}
    assert DOMAIN.arguments(options) == given
    assert DOMAIN.arguments(Options()) == {}
    assert Wider(axis="feature_axis").arguments(options) == {"feature_axis": 1}


def test_features_stay_last_without_a_name_for_the_axis():
    """A layer of any rank whose features are always last is judged so."""
    assert judged(declaring(Wider(ndim=True)), "BN-ND-1") is Outcome.CONFORMS


def test_masks_have_the_shape_that_is_declared():
    """A layer that takes (N,) refuses (N, 1), and the other way round it is judged as well."""
    by_element = declaring(replace(DOMAIN, mask_by_row=False))
    assert judged(by_element, "BN-MASK-1") is Outcome.VIOLATES
    assert judged(wide(), "BN-MASK-1") is Outcome.CONFORMS


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

    wider = replace(DOMAIN, ndim=ndim, mask_by_row=by_row)
    layer = Implementation.nnx(Seen, name="seen", wider=wider)
    for row in ("BN-MASK-1", "BN-MASK-2", "BN-MASK-3"):
        assert judged(layer, row) is Outcome.CONFORMS
    assert seen == ranks


def test_an_undeclared_dtype_makes_no_case():
    """Whoever declares bfloat16 alone is judged on bfloat16 alone."""
    alone = replace(DOMAIN, precisions=(Precision(x="bfloat16", y="float32"),))
    few = budget(minimize=False)
    verdict = judge_requirement(REQUIREMENTS["BN-TYPE-1"], Subject(declaring(alone)), few)
    assert verdict.outcome is Outcome.CONFORMS
    assert 0 < verdict.rejected < verdict.cases


def test_an_untrue_declaration_violates():
    """An output or a state of another dtype than declared is told."""
    for wrong in (
        Precision(x="bfloat16", y="bfloat16"),
        Precision(x="bfloat16", y="float32", state="bfloat16"),
    ):
        layer = declaring(replace(DOMAIN, precisions=(wrong,)))
        assert judged(layer, "BN-TYPE-2") is Outcome.VIOLATES


# Nothing else changes


def test_64_bit_mode_is_left_again():
    """Judging float64 leaves JAX in the mode it was in."""
    assert judged(wide(), "BN-TYPE-3", 10) is Outcome.CONFORMS
    assert not jax.config.jax_enable_x64
    assert jnp.ones(2).dtype == np.float32


def test_too_few_devices_are_told():
    """On a single device BN-SYNC-1 is not silently judged by half: it says what to set."""
    code = (
        "from conformance.engine.judge import judge_requirement as judge\n"
        "from conformance.engine.budget import budget\n"
        "from conformance.requirements import REQUIREMENTS\n"
        "from conformance.properties.support.subject import Subject\n"
        "from impl import wide\n"
        "verdict = judge(REQUIREMENTS['BN-SYNC-1'], Subject(wide()), budget(max_examples=20))\n"
        "print(verdict.outcome.value, verdict.detail)"
    )
    environment = {"JAX_NUM_CPU_DEVICES": "1", "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.startswith("errored")
    assert "JAX has 1. Set JAX_NUM_CPU_DEVICES=4 before jax starts" in done.stdout


def test_devices_are_offered_unless_the_user_has_chosen(monkeypatch):
    """The number of devices is set once, and never over one that is there."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    jax_runtime.offer_host_devices()
    assert jax_runtime.os.environ["JAX_NUM_CPU_DEVICES"] == str(jax_runtime.HOST_DEVICES)
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "2")
    jax_runtime.offer_host_devices()
    assert jax_runtime.os.environ["JAX_NUM_CPU_DEVICES"] == "2"
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES")
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=3")
    jax_runtime.offer_host_devices()
    assert "JAX_NUM_CPU_DEVICES" not in jax_runtime.os.environ


def test_the_place_of_a_deviation_is_that_in_the_batch():
    """Elements that may overflow are not compared, and do not shift the others."""
    few = budget(minimize=False)
    for name, row in (("half-centred", "BN-TYPE-1"), ("half-statistics-constant", "BN-TYPE-4")):
        subject = Subject(impl.faulty.FAULTS[name].implementation)
        violation = judge_requirement(REQUIREMENTS[row], subject, few).violation
        assert violation is not None
        assert len(violation.finding.index) == 2


# flax, by the suite and by hand


def built(**arguments: object) -> nnx.BatchNorm:
    rngs = nnx.Rngs(0)
    return nnx.BatchNorm(1, momentum=0.0, use_fast_variance=False, rngs=rngs, **arguments)


def nan_reaches_the_gradient() -> bool:
    x, kept = jnp.array([[jnp.nan], [1.0], [3.0]]), jnp.array([[False], [True], [True]])

    def loss(x: jax.Array) -> jax.Array:
        return jnp.where(kept, built()(x, use_running_average=False, mask=kept), 0).sum()

    return bool(jnp.isnan(jax.grad(loss)(x)[1:]).any())


def nothing_kept_stores_nan() -> bool:
    layer = built()
    layer(jnp.ones((2, 1)), use_running_average=False, mask=jnp.zeros((2, 1), bool))
    return bool(jnp.isnan(layer.mean[...]).any())


def spread_mean(kept: jax.Array) -> float:
    """Return the running mean of four zeros and four tens on two shards."""

    def train(x: jax.Array, kept: jax.Array) -> jax.Array:
        layer = built(axis_name="i")
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
    layer = built(dtype=jnp.bfloat16)
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
    found = judged(flax_wide(), requirement) is Outcome.VIOLATES
    assert found == by_hand()


def test_the_reference_knows_an_axis_only_where_it_needs_one():
    """Construction and evaluation of a layer with a named axis work outside of it."""
    wider = wide().wider
    assert wider is not None
    layer = wider.build(Config(features=2), Options(axis_name="i"))
    y, _ = layer.pure(layer.arrays, jnp.ones((3, 2)), True, None)
    assert y.shape == (3, 2)


def test_names_of_the_reference_are_no_modules():
    """No submodule replaces a function of the package by its name."""
    assert impl.faulty.FAULTS
    assert all(callable(getattr(impl, name)) for name in impl.__all__)


@pytest.mark.parametrize("seed", range(3))
def test_training_by_averages_has_the_digits_of_what_it_stores(seed: int):
    """In float64 a layer may normalise with averages that it keeps as float32."""
    subject = Subject(VARIANTS["wide-averages-declared"])
    verdict = judge_requirement(REQUIREMENTS["BN-TYPE-3"], subject, budget(seed=seed))
    assert verdict.outcome is Outcome.DEVIATES


def test_a_declared_16_bit_output_has_no_gradients_to_compare():
    """Its cotangent would be rounded; what the layer gives is judged."""

    class Narrow(WideBatchNorm):
        def answered(self, y: jax.Array, x: object) -> jax.Array:
            del x
            return y.astype(jnp.bfloat16)

    wider = Wider(ndim=True, axis="axis")
    declared = {Deviation.OUTPUT_IN_BFLOAT16}
    layer = Implementation.nnx(Narrow, name="narrow", wider=wider, deviations=declared)
    assert judged(layer, "BN-ND-1") is Outcome.DEVIATES
    assert judged(layer.read(strictly=True), "BN-ND-1") is Outcome.VIOLATES
