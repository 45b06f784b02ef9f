"""Adapters of other frameworks: sound where the framework is installed, clear where it is not."""

from __future__ import annotations

import subprocess
import sys

import jax
import numpy as np
import pytest
from flax import linen
from support.peer_layers import NAMES, PROJECT, implementation_of
from support.sampling import exhaustive

from conformance.adapters import peers
from conformance.adapters.domain import Options
from conformance.adapters.errors import AdapterError
from conformance.adapters.protocols import Config
from conformance.diagnosis.adapter_check import problems
from conformance.diagnosis.adapter_mistakes import MISTAKES
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Capability
from conformance.requirements.verdict import Outcome

PACKAGES = ("equinox", "haiku", "keras", "torch", "mlx", "onnx", "flax", "jax")


def test_every_peer_is_registered():
    """Every name of a framework's layer is registered."""
    assert set(NAMES) == {
        "linen", "equinox", "equinox-ema", "haiku", "keras", "torch-1d", "torch-2d", "mlx", "onnx",
    }  # fmt: skip


def test_importing_the_table_imports_no_framework():
    """The module with all the names loads none of the packages behind them."""
    code = "import conformance.adapters.peers, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(PACKAGES) & set(done.stdout.split())


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"linen"}))
def test_a_missing_package_is_one_sentence(name, monkeypatch):
    """The sentence has the extra to install, and the extra exists."""
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    with pytest.raises(AdapterError) as caught:
        getattr(peers, NAMES[name])()
    text = str(caught.value)
    extra = text.partition("[")[2].partition("]")[0]
    assert text.endswith(f"is not installed; pip install 'batchnorm-conformance[{extra}]'")
    assert extra in PROJECT["optional-dependencies"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")  # warnings of the frameworks themselves
def test_the_adapter_is_sound(name):
    """`conformance smoke` finds nothing."""
    found = dict(problems(Subject(implementation_of(name))))
    assert {title for title, _ in MISTAKES} < set(found)
    assert [problem for problem in found.values() if problem is not None] == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("requirement", ["BN-AFF-1", "BN-FLAG-3"])
@pytest.mark.filterwarnings("ignore")
def test_what_every_framework_gets_right(name, requirement):
    """On layers whose state was written, no framework is accused wrongly."""
    implementation = implementation_of(name)
    if name in {"equinox", "haiku"}:
        pytest.skip("of a fresh layer or a constant batch something else is wrong")
    verdict = judge_requirement(
        REQUIREMENTS[requirement], Subject(implementation), budget(max_examples=3)
    )
    assert verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}, verdict.violation


@pytest.mark.parametrize("name", ["linen", "equinox-ema", "keras"])
@pytest.mark.filterwarnings("ignore")
def test_pure_layers_are_judged_under_transforms(name):
    """jax.jit, vmap, scan and checkpoint take a pure function as NNX takes a module."""
    subject, few = Subject(implementation_of(name)), budget(max_examples=20)
    assert Capability.TRANSFORMS_GRAD in subject.implementation.capabilities
    for requirement in ("BN-JIT-3", "BN-JIT-6", "BN-VMAP-1", "BN-SCAN-1", "BN-REMAT-1"):
        verdict = judge_requirement(REQUIREMENTS[requirement], subject, few)
        assert verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}, verdict.violation


@pytest.mark.parametrize(
    "requirement",
    [pytest.param("BN-ND-1", marks=exhaustive), "BN-MASK-1", "BN-TYPE-1", "BN-SYNC-1"],
)
def test_a_pure_layer_may_declare_an_extended_domain(requirement):
    """flax.linen keeps its statistics in float32 in evaluation, too, where flax NNX does not."""
    subject, few = Subject(peers.linen()), budget(max_examples=40, minimize=False)
    outcome = judge_requirement(REQUIREMENTS[requirement], subject, few).outcome
    assert outcome in {Outcome.CONFORMS, Outcome.DEVIATES}


def test_a_state_that_becomes_float64_is_reported():
    """flax.linen stores the statistics of a float64 batch as float64, whatever they were."""
    subject, few = Subject(peers.linen()), budget(max_examples=10, minimize=False)
    verdict = judge_requirement(REQUIREMENTS["BN-TYPE-3"], subject, few)
    assert (verdict.outcome is Outcome.VIOLATES) == drifts()


def drifts() -> bool:
    """Tell by a few lines without the suite whether the stored mean changes its dtype."""
    with jax.enable_x64(True):
        module, x = linen.BatchNorm(), jax.numpy.ones((2, 1), jax.numpy.float64)
        variables = module.init(jax.random.key(0), x, use_running_average=True)
        _, after = module.apply(variables, x, use_running_average=False, mutable=["batch_stats"])
        both = (variables["batch_stats"]["mean"], after["batch_stats"]["mean"])
        return both[0].dtype != both[1].dtype


AGED = {"haiku": "BN-EMA-3", "equinox": "BN-EVAL-6", "equinox-ema": "BN-EMA-3"}


@pytest.mark.parametrize("name", ["equinox", "haiku", "linen"])
def test_a_layer_is_built_for_a_named_axis(name):
    """No axis is bound while it is initialized."""
    layer = implementation_of(name).wider.build(Config(features=2), Options(axis_name="lanes"))
    assert np.shape(layer.arrays["gamma"]) == (2,)


@pytest.mark.parametrize("name", AGED)
@pytest.mark.filterwarnings("ignore")
def test_the_age_of_averages_is_no_violation(name):
    """Deviations due to zero-debiasing, or to a first batch that replaces, are declared."""
    few = budget(max_examples=60, minimize=False)
    for requirement in (AGED[name], "BN-IND-1", "BN-INIT-7"):
        verdict = judge_requirement(
            REQUIREMENTS[requirement], Subject(implementation_of(name)), few
        )
        assert verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}, verdict.violation


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "requirement"),
    [
        ("equinox", "BN-ND-1"),
        ("equinox", "BN-TYPE-3"),
        ("equinox", "BN-SYNC-1"),
        ("equinox-ema", "BN-ND-1"),
        ("equinox-ema", "BN-TYPE-3"),
        ("haiku", "BN-TYPE-2"),
    ],
)
def test_an_extended_domain_follows_the_declared_conventions(name, requirement):
    """Averages that know their age, and normalise y, are judged on the extended rows too."""
    verdict = judge_requirement(
        REQUIREMENTS[requirement], Subject(implementation_of(name)), budget()
    )
    assert verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}, verdict.violation


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "requirement"),
    [
        ("haiku", "BN-NUM-1"),
        ("equinox", "BN-EMA-2"),
        ("equinox-ema", "BN-EVAL-4"),
        ("equinox", "BN-TYPE-1"),
        ("equinox-ema", "BN-TYPE-2"),
        ("equinox-ema", "BN-SYNC-1"),
        ("haiku", "BN-TYPE-1"),
    ],
)
def test_what_is_no_convention_stays_a_violation(name, requirement):
    """An unclipped variance, one that is debiased from 1, statistics of 16 bits: not declared."""
    few = budget(minimize=False)
    verdict = judge_requirement(REQUIREMENTS[requirement], Subject(implementation_of(name)), few)
    assert verdict.outcome is Outcome.VIOLATES
