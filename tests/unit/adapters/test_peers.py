"""Adapters of other frameworks: sound where the framework is installed, clear where it is not."""

from __future__ import annotations

import runpy
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import linen

import impl
from conformance.adapters import peers
from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation
from conformance.adapters.pure import PureLayer
from conformance.diagnosis.adapter_check import problems
from conformance.diagnosis.adapter_mistakes import MISTAKES
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Capability
from conformance.requirements.verdict import Outcome

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
POINTS = PROJECT["entry-points"]["conformance.implementations"]
NAMES = {
    name: point.rpartition(":")[2]
    for name, point in POINTS.items()
    if point.startswith("conformance.adapters.peers:")
}
PACKAGES = ("equinox", "haiku", "keras", "torch", "mlx", "onnx", "flax", "jax")


def implementation_of(name: str):
    """Return the implementation, or skip the test where the framework is not installed."""
    try:
        return getattr(peers, NAMES[name])()
    except AdapterError as error:
        if "is not installed" not in str(error):
            raise
        pytest.skip(str(error))


def test_every_peer_is_registered():
    """Every name of a framework's layer is registered."""
    assert set(NAMES) == {
        "linen", "linen-wide", "equinox", "equinox-ema", "equinox-wide", "equinox-ema-wide",
        "haiku", "haiku-wide", "keras", "keras-wide", "torch-1d", "torch-2d", "mlx", "onnx",
    }  # fmt: skip


def test_importing_the_table_imports_no_framework():
    """The module with all the names loads none of the packages behind them."""
    code = "import conformance.adapters.peers, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(PACKAGES) & set(done.stdout.split())


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"linen", "linen-wide"}))
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
    implementation_of(name)
    found = dict(problems(f"conformance.adapters.peers:{NAMES[name]}"))
    assert {title for title, _ in MISTAKES} < set(found)
    assert [problem for problem in found.values() if problem is not None] == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("requirement", ["BN-AFF-1", "BN-FLAG-3"])
@pytest.mark.filterwarnings("ignore")
def test_what_every_framework_gets_right(name, requirement):
    """On layers whose state was written, no framework is accused wrongly."""
    implementation = implementation_of(name)
    if name.removesuffix("-wide") in {"equinox", "haiku"}:
        pytest.skip("of a fresh layer or a constant batch something else is wrong")
    verdict = judge_requirement(
        REQUIREMENTS[requirement], Subject(implementation), budget(max_examples=3)
    )
    assert verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}, verdict.violation


def test_gradients_of_a_pure_layer_are_judged():
    """A layer of flax.linen is not an NNX module; its gradients are judged nevertheless."""
    layer = peers.linen()
    assert Capability.GRAD in layer.capabilities
    assert not {Capability.NNX, Capability.NNX_GRAD} & layer.capabilities
    for number in (1, 4):
        verdict = judge_requirement(
            REQUIREMENTS[f"BN-GRAD-{number}"], Subject(layer), budget(max_examples=4)
        )
        assert verdict.outcome is Outcome.CONFORMS, verdict.violation


def test_a_wrong_gradient_of_a_pure_layer_is_found():
    """A gradient of gamma that is doubled violates BN-GRAD-2."""

    @jax.custom_vjp
    def doubled(value):
        return value

    doubled.defvjp(lambda value: (value, None), lambda _, w: (2 * w,))
    build = import_module("conformance.adapters.linen").build

    def build_wrong(config):
        layer = build(config)
        inner = layer.pure

        def pure(state, x, flag):
            y, after = inner(state | {"gamma": doubled(state["gamma"])}, x, flag)
            return y, after | {"gamma": state["gamma"]}

        return PureLayer(pure, layer.arrays)

    subject = Subject(Implementation(name="wrong", build=build_wrong, pure=True))
    verdict = judge_requirement(REQUIREMENTS["BN-GRAD-2"], subject, budget(max_examples=4))
    assert verdict.outcome is Outcome.VIOLATES
    assert np.isfinite(verdict.violation.finding.ratio)


@pytest.mark.parametrize("name", ["linen", "equinox-ema", "keras"])
@pytest.mark.filterwarnings("ignore")
def test_pure_layers_are_judged_under_transforms(name):
    """jax.jit, vmap, scan and checkpoint take a pure function as NNX takes a module."""
    subject, few = Subject(implementation_of(name)), budget(max_examples=20)
    assert Capability.TRANSFORMS_GRAD in subject.implementation.capabilities
    for requirement in ("BN-JIT-3", "BN-JIT-6", "BN-VMAP-1", "BN-SCAN-1", "BN-REMAT-1"):
        verdict = judge_requirement(REQUIREMENTS[requirement], subject, few)
        assert verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}, verdict.violation


@pytest.mark.parametrize("requirement", ["BN-ND-1", "BN-MASK-1", "BN-TYPE-1", "BN-SYNC-1"])
def test_a_pure_layer_may_declare_an_extended_domain(requirement):
    """flax.linen keeps its statistics in float32 in evaluation, too, where flax NNX does not."""
    subject, few = Subject(peers.linen_wide()), budget(max_examples=40, minimize=False)
    outcome = judge_requirement(REQUIREMENTS[requirement], subject, few).outcome
    assert outcome in {Outcome.CONFORMS, Outcome.DEVIATES}


def test_a_state_that_becomes_float64_is_reported():
    """flax.linen stores the statistics of a float64 batch as float64, whatever they were."""
    subject, few = Subject(peers.linen_wide()), budget(max_examples=10, minimize=False)
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


class _Quadratic:
    """A differentiable call by formulas in NumPy; ``factor`` scales the gradient of gamma."""

    def __init__(self, layer, x, evaluate, factor):
        self.layer, self.x, self.evaluate, self.factor = layer, np.array(x), evaluate, factor

    def gradients(self, w):
        w = np.array(w)
        state = self.layer.read()
        mean, var = state["running_mean"], state["running_var"]
        if not self.evaluate:
            mean, var = self.x.mean(axis=0), self.x.var(axis=0)
        r = 1 / np.sqrt(var + np.float32(self.layer.config.eps))
        z = (self.x - mean) * r
        pulled = 0 if self.evaluate else w.mean(axis=0) + z * (w * z).mean(axis=0)
        return self.factor * (w * z).sum(axis=0), w.sum(axis=0), state["gamma"] * r * (w - pulled)

    def pullback(self):
        then = _Quadratic(_Frozen(self.layer), self.x, self.evaluate, self.factor)
        return then.gradients

    def through_statistics(self, *cotangents):
        return 0 * self.x * len(cotangents)


class _Frozen:
    def __init__(self, layer):
        self.config, self.state = layer.config, layer.read()

    def read(self):
        return self.state


@pytest.mark.parametrize(("factor", "outcome"), [(1, "conforms"), (2, "violates")])
@pytest.mark.parametrize("requirement", ["BN-GRAD-2", "BN-GRAD-9"])
def test_a_framework_may_differentiate_by_itself(factor, outcome, requirement):
    """Without JAX gradients are judged as well, and a doubled one of gamma is found."""
    from support.numpy_norm import NumpyNorm  # noqa: PLC0415

    class Own(NumpyNorm):
        def __init__(self, config):
            super().__init__(config)
            self.config = config

        def call(self, x, *, evaluate):
            return _Quadratic(self, x, evaluate, factor)

    layer = Implementation(name="own", build=Own, own_gradients=True)
    assert Capability.GRAD in layer.capabilities
    verdict = judge_requirement(REQUIREMENTS[requirement], Subject(layer), budget(max_examples=8))
    assert verdict.outcome.value == outcome, verdict.violation


@pytest.mark.parametrize("name", ["torch-1d", "torch-2d"])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 8, 9])
def test_gradients_of_torch_are_judged(name, number):
    """torch.autograd computes the gradients of Batch Normalization, none through statistics."""
    verdict = judge_requirement(
        REQUIREMENTS[f"BN-GRAD-{number}"], Subject(implementation_of(name)), budget(max_examples=10)
    )
    assert verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}, verdict.violation


AGED = {"haiku": "BN-EMA-3", "equinox": "BN-EVAL-6", "equinox-ema": "BN-EMA-3"}


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
        ("equinox-wide", "BN-ND-1"),
        ("equinox-wide", "BN-TYPE-3"),
        ("equinox-wide", "BN-SYNC-1"),
        ("equinox-ema-wide", "BN-ND-1"),
        ("equinox-ema-wide", "BN-TYPE-3"),
        ("haiku-wide", "BN-TYPE-2"),
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
        ("equinox-wide", "BN-TYPE-1"),
        ("equinox-ema-wide", "BN-TYPE-2"),
        ("equinox-ema-wide", "BN-SYNC-1"),
        ("haiku-wide", "BN-TYPE-1"),
    ],
)
def test_what_is_no_convention_stays_a_violation(name, requirement):
    """An unclipped variance, one that is debiased from 1, statistics of 16 bits: not declared."""
    few = budget(minimize=False)
    verdict = judge_requirement(REQUIREMENTS[requirement], Subject(implementation_of(name)), few)
    assert verdict.outcome is Outcome.VIOLATES


TOOLS = Path(__file__).parents[3] / "tools" / "docs"


def test_every_script_of_a_finding_belongs_to_a_cause():
    """docs/findings has a script for each cause, and none for withdrawn ones."""
    causes = runpy.run_path(str(TOOLS / "causes.py"))["CAUSES"]
    scripts = {script.stem for script in (TOOLS.parents[1] / "docs" / "findings").glob("*.py")}
    assert scripts == {cause.script for cause in causes}


@pytest.mark.parametrize("requirement", ["BN-ND-1", "BN-MASK-1", "BN-MASK-2", "BN-MASK-3"])
def test_a_layer_that_conforms_still_conforms_with_the_workaround(requirement):
    """Computing a single feature as one of two removes mistakes, and adds none."""
    workaround = runpy.run_path(str(TOOLS / "keras_workaround.py"))
    correct = workaround["without_single_features"](impl.wide())
    verdict = judge_requirement(REQUIREMENTS[requirement], Subject(correct), budget())
    assert verdict.outcome is Outcome.CONFORMS, verdict.violation
