"""The diagnosis does not take declared deviations for mistakes, and finds others."""

from __future__ import annotations

from contextlib import closing

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from support.numpy_norm import NumpyNorm, implementation
from support.sampling import exhaustive

from conformance.adapters.implementation import Implementation
from conformance.adapters.recognition import recognize
from conformance.diagnosis import diagnose
from conformance.diagnosis.client import ExpertProcess
from conformance.diagnosis.diagnosis import investigate
from conformance.diagnosis.explanation import find_lines
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.observe import observe, observe_gradients
from conformance.diagnosis.search import evidence_of
from conformance.properties.support.subject import Subject
from conformance.requirements.deviations import Deviation
from impl.faulty import FAULTS
from impl.variants import VARIANTS
from impl.variants.declared import NewMomentum, UnbiasedStored

FEW = (
    "zero-debiased-declared",
    "float16-averaging-declared",
)
DECLARED = [name for name, variant in VARIANTS.items() if variant.deviations]


def evidence(made: Implementation) -> tuple[Evidence, Evidence]:
    """Return the evidence of calls and of gradients, with expectations by declaration."""
    subject = Subject(made)
    kinds = observe, observe_gradients
    return tuple(evidence_of(seen(subject), subject.conventions) for seen in kinds)


@pytest.mark.parametrize(
    "name", [n if n in FEW else pytest.param(n, marks=exhaustive) for n in DECLARED]
)
def test_what_is_declared_is_nothing_to_explain(name: str):
    """No call of a fair layer deviates from what it declares."""
    calls, gradients = evidence(VARIANTS[name])

    assert calls.observations
    assert [calls.observations[i] for i in calls.deviant] == []
    assert [gradients.observations[i] for i in gradients.deviant] == []


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.pure])
def test_gradients_of_layers_that_are_no_modules_are_observed(name: str):
    """Those of correct ones are what the model predicts."""
    _, gradients = evidence(VARIANTS[name])

    kinds = {o.call.kind for o in gradients.observations if o.call is not None}
    assert kinds == {"gradient", "through"}
    assert [gradients.observations[i] for i in gradients.deviant] == []


@exhaustive
def test_without_its_declaration_there_is_something_to_explain():
    """The same calls deviate where nothing is declared."""
    calls, _ = evidence(VARIANTS["unbiased-declared"].read(strictly=True))

    assert calls.deviant


@pytest.mark.parametrize("base", [NewMomentum, UnbiasedStored])
def test_the_mistake_beside_a_declaration_is_named(base: type[nnx.Module]):
    """ε outside the root of a layer that declares another convention is diagnosed."""

    class EpsOutside(base):
        def inverse_std(self, var):
            return 1 / (jax.numpy.sqrt(var) + self.eps)

    deviations = {
        NewMomentum: Deviation.MOMENTUM_OF_NEW_VALUE,
        UnbiasedStored: Deviation.UNBIASED_RUNNING_VARIANCE,
    }
    made = Implementation.nnx(EpsOutside, deviations={deviations[base]})
    found = diagnose(made)

    assert found.kind == "alternative"
    assert "ε" in found.sentence, found.sentence
    assert "variance" not in found.sentence, found.sentence


@exhaustive
@pytest.mark.parametrize("strictly", [True, False])
def test_the_strict_reading_names_what_is_declared(strictly: bool):
    """Where declarations are left out of account, so they are in the diagnosis."""
    expert = ExpertProcess("variant:unbiased-declared", strictly=strictly, diagnose=True)
    with closing(expert):
        found = expert.explain(())
    assert found, "there was an answer"
    assert found.get("id") == ("unbiased-running" if strictly else None)


class Unwritable(NumpyNorm):
    """Its adapter writes to a name that its layer does not have."""

    def write(self, _):
        raise KeyError("weights")


def test_what_is_raised_everywhere_is_reported_as_such():
    """The exception is the diagnosis of a layer that only raises."""
    found = diagnose(implementation(Unwritable))

    assert (found.kind, found.id) == ("observed", "raises")
    assert found.sentence.startswith("writing the state raises KeyError: 'weights' (test_")
    assert "conformance smoke" in found.remedy


def test_a_frozen_layer_is_not_advised_to_train():
    """Running statistics that move are not a known mistake of a layer with one mode."""
    frozen = FAULTS["frozen-moves"].implementation
    assert diagnose(frozen).kind == "none"


class Inference(nnx.Module):
    """Adds the running mean, and has no other mode."""

    def __init__(self, d: int):
        self.gamma, self.beta = nnx.Param(jnp.ones(d)), nnx.Param(jnp.zeros(d))
        self.running_mean = nnx.BatchStat(jnp.zeros(d))
        self.running_var = nnx.BatchStat(jnp.ones(d))

    def __call__(self, x: jax.Array) -> jax.Array:
        z = (x + self.running_mean[...]) / jnp.sqrt(self.running_var[...] + 1e-5)
        return self.gamma[...] * z + self.beta[...]


def test_the_mistake_of_a_layer_with_one_mode_is_named():
    """Its calls are predicted as evaluations, whatever the flag."""
    subject = Subject(recognize("inference", Inference))
    found = investigate(subject)
    (line,) = find_lines(subject, found)

    assert found.diagnosis.id == "evaluation-mean-negated"
    assert line is not None
    assert line.text == "x + self.running_mean[...]"


def test_values_that_are_fixed_are_nothing_to_explain():
    """A layer with literals for momentum and ε is expected to use them."""
    assert diagnose(VARIANTS["fixed-hyperparameters"]).kind == "none"
