"""Declared deviations: needed, borne out, and nothing besides."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from support.numpy_norm import NumpyNorm

from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import PARAMETERS, STATISTICS, Config
from conformance.adapters.recognized import write_literal
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.deviations import DEVIATIONS, DTYPES, RENAMED, Deviation
from conformance.requirements.verdict import Outcome, Verdict
from impl import reference
from impl.forward import batchnorm_forward
from impl.variants import VARIANTS
from impl.variants.declared import truthy_forward


class Stored(NumpyNorm):
    """Some arrays have another dtype; JAX has float64 in 64-bit mode alone, NumPy always."""

    def __init__(self, config: Config, names: tuple[str, ...], dtype: str) -> None:
        super().__init__(config)
        self.names, self.dtype = names, dtype
        self.write(self.read())

    def write(self, values: dict[str, np.ndarray]) -> None:
        super().write(values)
        self.arrays |= {name: self.arrays[name].astype(self.dtype) for name in self.names}


def storing(names: tuple[str, ...], dtype: str, deviation: Deviation) -> Implementation:
    def build(config: Config) -> Stored:
        return Stored(config, names, dtype)

    return Implementation(name="stored", build=build, deviations=frozenset({deviation}))


class Float64Output(NumpyNorm):
    """y is float64, which JAX has in 64-bit mode alone, NumPy always."""

    def __call__(self, x: object, use_running_average: object) -> np.ndarray:
        return super().__call__(x, use_running_average).astype(np.float64)


DECLARED = {
    Deviation.ONE_PASS_VARIANCE: VARIANTS["one-pass-declared"],
    Deviation.MOMENTUM_OF_NEW_VALUE: VARIANTS["new-momentum-declared"],
    Deviation.UNBIASED_RUNNING_VARIANCE: VARIANTS["unbiased-declared"],
    Deviation.EMA_NORMALISED_TRAINING: VARIANTS["ema-normalised-declared"],
    Deviation.SINGLE_ROW_REFUSED: VARIANTS["single-row-refused-declared"],
    Deviation.GRADIENT_THROUGH_STATISTICS: VARIANTS["gradient-through-declared"],
    Deviation.ZERO_DEBIASED_STATISTICS: VARIANTS["zero-debiased-declared"],
    Deviation.FIRST_BATCH_REPLACES: VARIANTS["first-batch-declared"],
    Deviation.statistics_in("bfloat16"): VARIANTS["bfloat16-statistics-declared"],
    Deviation.statistics_in("float64"): storing(
        STATISTICS, "float64", Deviation.statistics_in("float64")
    ),
    Deviation.parameters_in("bfloat16"): VARIANTS["bfloat16-parameters-declared"],
    Deviation.parameters_in("float16"): storing(
        PARAMETERS, "float16", Deviation.parameters_in("float16")
    ),
    Deviation.parameters_in("float64"): storing(
        PARAMETERS, "float64", Deviation.parameters_in("float64")
    ),
    Deviation.statistics_in("float16"): VARIANTS["float16-statistics-declared"],
    Deviation.output_in("float16"): VARIANTS["float16-output-declared"],
    Deviation.output_in("float64"): Implementation(
        name="float64-output",
        build=Float64Output,
        deviations=frozenset({Deviation.output_in("float64")}),
    ),
    Deviation.output_in("bfloat16"): VARIANTS["bfloat16-output-declared"],
    Deviation.ALWAYS_EVALUATES: VARIANTS["frozen-declared"],
    Deviation.ALWAYS_TRAINS: VARIANTS["no-running-statistics-declared"],
    Deviation.TRUTHY_FLAG: Implementation(
        name="truthy", forward=truthy_forward, deviations=frozenset({Deviation.TRUTHY_FLAG})
    ),
}


def judge_by_id(implementation: Implementation, requirement: str) -> Verdict:
    few = budget(minimize=False)
    return judge_requirement(REQUIREMENTS[requirement], Subject(implementation), few)


@pytest.mark.parametrize("name", RENAMED)
def test_names_of_earlier_versions_name_their_replacement(name: str):
    """The message has the call, whose text is the name of a member."""
    with pytest.raises(AttributeError) as refused:
        getattr(Deviation, name)
    assert str(refused.value) == f"Deviation.{name} is now Deviation.{RENAMED[name]}"
    assert RENAMED[name] in Deviation.__members__


@pytest.mark.parametrize("declare", [Deviation.statistics_in, Deviation.parameters_in])
def test_a_dtype_that_needs_no_declaration_is_refused(declare: Callable[[str], Deviation]):
    """float32 is what is expected anyway, and others are unknown."""
    for dtype in ("float32", "float8"):
        with pytest.raises(ValueError, match=f"'{dtype}'.: expected one of bfloat16, float16, flo"):
            declare(dtype)


def test_a_declaration_of_a_dtype_is_written_as_it_is_called():
    """The name in reports is the source after ``Deviation.``, and survives being pickled."""
    for dtype in DTYPES:
        deviation = Deviation.output_in(dtype)
        assert write_literal({deviation}) == f'{{Deviation.output_in("{dtype}")}}'
        assert pickle.loads(pickle.dumps(deviation)) is deviation


def test_the_argument_of_earlier_versions_names_its_replacement():
    """``state_dtype`` was the dtype of all four arrays; copies of an implementation have none."""
    with pytest.raises(AdapterError) as refused:
        replace(reference(), state_dtype="float16")
    assert str(refused.value) == (
        "state_dtype='float16' is now "
        "deviations={Deviation.parameters_in('float16'), Deviation.statistics_in('float16')}"
    )
    assert replace(reference(), name="copy").name == "copy"


def test_two_dtypes_of_one_kind_are_refused():
    """Only one of them can be true; two kinds are two declarations."""
    half, double = Deviation.output_in("float16"), Deviation.output_in("float64")
    with pytest.raises(AdapterError, match=r"declares output_in.*and output_in.*Remove the others"):
        replace(reference(), deviations={half, double})
    assert replace(reference(), deviations={half, Deviation.statistics_in("float16")})


def test_every_deviation_has_a_layer_and_a_requirement():
    """What can be declared can be shown, and there is a fair layer that declares it."""
    assert set(DECLARED) == set(DEVIATIONS) == set(Deviation)


@pytest.mark.parametrize("deviation", Deviation, ids=lambda d: d.name)
def test_declared_it_deviates(deviation: Deviation):
    """The layer that declares its convention deviates where that shows."""
    verdict = judge_by_id(DECLARED[deviation], DEVIATIONS[deviation].shown_by)
    assert verdict.outcome is Outcome.DEVIATES, verdict.violation


@pytest.mark.parametrize("deviation", Deviation, ids=lambda d: d.name)
def test_undeclared_it_violates(deviation: Deviation):
    """The same layer by the strict reading violates there."""
    strictly = DECLARED[deviation].read(strictly=True)
    assert judge_by_id(strictly, DEVIATIONS[deviation].shown_by).outcome is Outcome.VIOLATES


@pytest.mark.parametrize("deviation", Deviation, ids=lambda d: d.name)
def test_a_false_declaration_violates(deviation: Deviation):
    """The reference violates a requirement if it declares a deviation that it does not have."""
    lying = replace(reference(), deviations=frozenset({deviation}))
    assert judge_by_id(lying, DEVIATIONS[deviation].shown_by).outcome is Outcome.VIOLATES


def ema_normalised_forward(_: object, x: object, use_running_average: float) -> np.ndarray:
    """Return the flat result of a fresh layer that normalises with its updated averages."""
    layer = VARIANTS["ema-normalised-declared"].build(Config(features=np.shape(x)[1]))
    return np.asarray(layer(x, use_running_average >= 0.5)).ravel()


FUNCTIONS = {
    Deviation.EMA_NORMALISED_TRAINING: ema_normalised_forward,
    Deviation.output_in("bfloat16"): lambda seed, x, flag: jnp.asarray(
        batchnorm_forward(seed, x, flag)
    ).astype(jnp.bfloat16),
}


@pytest.mark.parametrize("deviation", FUNCTIONS, ids=lambda d: d.name)
def test_a_function_declares_what_shows_in_it(deviation: Deviation):
    """A forward function without a layer is judged by what it declares, too."""
    declared = frozenset({deviation})
    function = Implementation(name="f", forward=FUNCTIONS[deviation], deviations=declared)
    assert judge_by_id(function, "BN-FWD-2").outcome is Outcome.DEVIATES
    lying = replace(function, forward=batchnorm_forward)
    assert judge_by_id(lying, "BN-FWD-2").outcome is Outcome.VIOLATES


def test_a_function_in_two_passes_does_not_declare_one():
    """A declaration that only widens a bound is superfluous in a function as in a layer."""
    one_pass = frozenset({Deviation.ONE_PASS_VARIANCE})
    lying = Implementation(name="f", forward=batchnorm_forward, deviations=one_pass)
    verdict = judge_by_id(lying, "BN-FWD-2")
    assert verdict.outcome is Outcome.VIOLATES
    assert "ONE_PASS_VARIANCE" in verdict.violation.finding.quantity


@pytest.mark.parametrize(
    ("offered", "deviation", "rule"),
    [
        ({"build": NumpyNorm}, Deviation.TRUTHY_FLAG, "a forward function alone.*give `forward`"),
        ({"forward": batchnorm_forward}, Deviation.UNBIASED_RUNNING_VARIANCE, "a layer alone"),
        ({"build": NumpyNorm}, Deviation.GRADIENT_THROUGH_STATISTICS, "gradients alone"),
    ],
)
def test_what_nothing_can_show_cannot_be_declared(
    offered: dict[str, object], deviation: Deviation, rule: str
):
    """A declaration that no requirement could find untrue is refused, not taken on trust."""
    with pytest.raises(AdapterError, match=f"'mine' declares {deviation.name}.*{rule}"):
        Implementation(name="mine", deviations=frozenset({deviation}), **offered)


def test_a_declaration_does_not_excuse_another_mistake():
    """A declared unbiased running variance does not excuse momentum of the new value."""
    layer = replace(
        VARIANTS["new-momentum-declared"],
        deviations=frozenset({Deviation.UNBIASED_RUNNING_VARIANCE}),
    )
    assert judge_by_id(layer, "BN-EMA-1").outcome is Outcome.VIOLATES


def test_each_of_two_declarations_has_to_be_needed():
    """Of two declarations the one that is not there is named."""
    both = frozenset({Deviation.UNBIASED_RUNNING_VARIANCE, Deviation.SINGLE_ROW_REFUSED})
    layer = replace(VARIANTS["unbiased-declared"], deviations=both)
    for requirement in ("BN-EMA-2", "BN-TRAIN-8"):
        verdict = judge_by_id(layer, requirement)
        assert verdict.outcome is Outcome.VIOLATES
        assert verdict.violation.finding.quantity == "a training call on a single row"


@pytest.mark.parametrize("name", [name for name, v in VARIANTS.items() if v.deviations])
@pytest.mark.parametrize("cases", [1, 3])
def test_few_cases_accuse_no_declaration(name: str, cases: int):
    """A declaration is called superfluous by cases that would show it, and by no others."""
    subject = Subject(VARIANTS[name])
    for deviation in VARIANTS[name].deviations:
        row = REQUIREMENTS[DEVIATIONS[deviation].shown_by]
        if row.needs in subject.implementation.capabilities:
            verdict = judge_requirement(row, subject, budget(max_examples=cases))
            assert verdict.outcome is not Outcome.VIOLATES, verdict
