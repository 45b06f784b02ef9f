"""Writing scripts: programs of their own, with a time limit, and reasons why there is none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from support.violations import a_case, verdict_of

from conformance.adapters.implementation import Implementation
from conformance.numerics.oracle import evaluate, evaluation_gradient, train, training_gradient
from conformance.numerics.state import State
from conformance.report.reproducers.construction_spec import Blueprint, blueprint_of
from conformance.report.reproducers.inliner import pieces_for
from conformance.report.reproducers.literals import written
from conformance.report.reproducers.render import script_of
from conformance.report.reproducers.script import NoScript
from conformance.requirements.deviations import Deviation
from conformance.requirements.finding import Finding
from conformance.requirements.verdict import Violation
from conformance.strategies.bytestream import SIZE, draw_from_bytes
from conformance.strategies.cotangents import GRADIENT, pulled_cases
from impl import reference
from impl.faulty import FAULTS


def test_reasons_why_there_is_no_script():
    """Adapters, own conventions, and names that cannot be imported are distinguished."""
    finding = Finding(quantity="y", got=1.0, expected=2.0, bound=0.1, ratio=10.0, index=(0, 0))
    verdict = verdict_of(finding, a_case())
    layer = reference()
    assert layer.construction is not None
    cases = {
        "is driven by an adapter": replace(layer, construction=None),
        "cannot be imported by a name": Implementation.nnx(lambda: None, name="f"),
        "'dtype' has no literal form": Implementation.nnx(
            layer.construction.module, arguments={"dtype": np.float32}
        ),
        "declares UNBIASED_RUNNING_VARIANCE": replace(
            layer, deviations=frozenset({Deviation.UNBIASED_RUNNING_VARIANCE})
        ),
    }
    for message, implementation in cases.items():
        with pytest.raises(NoScript, match=message):
            script_of(verdict, blueprint_of(implementation))
    nothing = replace(verdict, violation=Violation(finding=finding))
    with pytest.raises(NoScript, match="no case belongs to it"):
        script_of(nothing, blueprint_of(layer))
    other = verdict_of(replace(finding, quantity="its colour"), a_case())
    with pytest.raises(NoScript, match="'its colour' is compared by nothing"):
        script_of(other, blueprint_of(layer))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bit": "0 or print('mine')"}, r"has \"0 or print\('mine'\)\", which is never drawn"),
        ({"encoding": 99}, "does not match BN-FLAG-1: tuple index out of range"),
        ({"encoding": None}, "the stored counterexample does not match BN-FLAG-1: "),
        ({"case": {"$": "Popen", "fields": {}}}, "its stored case cannot be read"),
        ({"other": 1}, "the stored counterexample does not match BN-FLAG-1"),
    ],
)
def test_a_report_of_others_writes_no_code(changed: dict[str, object], message: str):
    """What stands in a report becomes literals of a script or nothing."""
    finding = Finding(quantity="shape of the result", got="(1,)", expected="(2,)")
    drawn = a_case() | {"bit": 0, "encoding": 0}
    verdict = verdict_of(finding, drawn, "BN-FLAG-1")
    assert verdict.violation is not None
    values = verdict.violation.values | changed
    edited = replace(verdict, violation=replace(verdict.violation, values=values))

    assert "forward(0.0" in script_of(verdict, blueprint_of(reference()))
    index: tuple[object, ...] = ("print('mine')",)
    elsewhere = replace(verdict.violation, finding=replace(finding, index=index))
    with pytest.raises(NoScript, match="which is never drawn"):
        script_of(replace(verdict, violation=elsewhere), blueprint_of(reference()))
    with pytest.raises(NoScript, match=message):
        script_of(edited, blueprint_of(reference()))


def test_blueprints_cross_process_borders():
    """What a script has to know comes back from JSON values as it was."""
    for name in ("eps-outside", "flag-truthy", "mask-ignored"):
        blueprint = blueprint_of(FAULTS[name].implementation)
        assert Blueprint.from_json(blueprint.to_json()) == blueprint


def test_literals_are_read_back_bit_by_bit():
    """Signs of zero, subnormal numbers, infinities, NaN and long arrays survive as text."""
    odd = np.array([-0.0, 1e-45, np.inf, -np.inf, np.nan, 1 / 3, 16777217, 3e38], np.float32)
    long = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32)
    bits = np.random.default_rng(1).integers(0, 2**32, 20_000, np.uint32).view(np.float32)
    for value in (odd, long, long.astype(np.float64), np.zeros((0, 3), np.float32), long > 0, bits):
        names = {"np": np, "inf": np.inf, "nan": np.nan}
        back = eval(written(value), names)
        assert (back.dtype, back.shape) == (value.dtype, value.shape)
        numbers = ~np.isnan(value)
        assert back[numbers].tobytes() == value[numbers].tobytes()
        assert np.isnan(back[~numbers]).all()


@pytest.mark.parametrize("number", range(4))
def test_the_copied_formulas_are_those_of_the_oracle(number: int):
    """The source copied into scripts needs NumPy alone, and computes what the suite expects."""
    used = "training_call, evaluation_call, gradients, decimals"
    copied = {"np": np, "Decimal": Decimal}
    exec("\n".join(pieces_for(used)), copied)
    raw = np.random.default_rng([number, 3]).bytes(SIZE)
    case, w, _ = draw_from_bytes(raw, {"drawn": pulled_cases(GRADIENT)})["drawn"]
    state, config = case.state or State.fresh(case.config.features), case.config
    held = state.arrays()
    expected = train(config, state, case.x)
    training_call, decimals = copied["training_call"], copied["decimals"]
    found = training_call(case.x, held, config.momentum, config.eps)
    exact = training_call(case.x, held, config.momentum, config.eps, exact=decimals)
    for name in ("y", "running_mean", "running_var"):
        np.testing.assert_allclose(found[name], getattr(expected, name), rtol=1e-12)
        np.testing.assert_allclose(exact[name].astype(float), getattr(expected, name), rtol=1e-9)
    in_evaluation = copied["evaluation_call"](case.x, held, config.eps)
    wanted = evaluate(config, state, case.x)
    np.testing.assert_allclose(in_evaluation, wanted, rtol=1e-12)
    exact_y = copied["evaluation_call"](case.x, held, config.eps, exact=decimals)
    np.testing.assert_allclose(exact_y.astype(float), in_evaluation, rtol=1e-9, atol=1e-12)
    for mode, oracle_of in ((False, training_gradient), (True, evaluation_gradient)):
        pulled = copied["gradients"](case.x, held, config.eps, w, mode)
        gradient = oracle_of(config, state, case.x, w)
        for name, value in pulled.items():
            np.testing.assert_allclose(value, getattr(gradient, name), rtol=1e-9, atol=1e-9)
