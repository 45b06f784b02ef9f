"""Writing scripts: programs of their own, with a time limit, and reasons why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.violations import a_case, verdict_of

from conformance.numerics.oracle import evaluate, evaluation_gradient, train, training_gradient
from conformance.numerics.state import State
from conformance.properties.support.checks import Comparison
from conformance.properties.support.subject import Subject
from conformance.report.reproducers.bundle import copy_of
from conformance.report.reproducers.construction_spec import Blueprint, blueprint_of
from conformance.report.reproducers.literals import written
from conformance.report.reproducers.no_script import NoScript
from conformance.report.reproducers.recorder import record_case
from conformance.report.reproducers.render import script_of
from conformance.requirements.finding import Finding
from conformance.strategies.bytestream import SIZE, draw_from_bytes
from conformance.strategies.cotangents import GRADIENT, pulled_cases
from impl import reference
from impl.faulty import FAULTS


def test_reasons_why_there_is_no_script():
    """A violation without a case, one that does not recur, and a name that is not a module's."""
    subject = Subject(reference())
    with pytest.raises(NoScript, match="no case belongs to it"):
        record_case("BN-TRAIN-1", subject, {})
    finding = Finding(quantity="y", got=1.0, expected=2.0, bound=0.1, ratio=10.0, index=(0, 0))
    verdict = verdict_of(finding, a_case())
    assert verdict.violation is not None
    with pytest.raises(NoScript, match="from the same inputs the layer does not show it now"):
        record_case("BN-TRAIN-1", subject, verdict.violation.values)
    faulty = FAULTS["eps-outside"].implementation
    recording = record_case("BN-TRAIN-1", Subject(faulty), verdict.violation.values)
    nameless = blueprint_of(replace(faulty, name="nameless", construction=None))
    with pytest.raises(NoScript, match="cannot be imported by a name"):
        script_of(verdict, recording, nameless)


def test_what_has_no_source_is_compared_by_no_script():
    """A script that compares a literal with a literal would show nothing."""
    finding = Finding(quantity="y", got=1.0, expected=2.0, bound=0.1, ratio=10.0, index=(0, 0))
    verdict = verdict_of(finding, a_case())
    assert verdict.violation is not None
    faulty = FAULTS["eps-outside"].implementation
    recording = record_case("BN-TRAIN-1", Subject(faulty), verdict.violation.values)
    recording.comparison = Comparison("within", np.zeros(3), np.ones(3))
    with pytest.raises(NoScript, match="is compared by nothing that a script can do"):
        script_of(verdict, recording, blueprint_of(faulty))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"flag": "0 or print('mine')"}, r"has \"0 or print\('mine'\)\", which is never drawn"),
        ({"container": 99}, "does not match BN-FWD-1: tuple index out of range"),
        ({"container": None}, "the stored counterexample does not match BN-FWD-1: "),
        ({"case": {"$": "Popen", "fields": {}}}, "its stored case cannot be read"),
        ({"other": 1}, "the stored counterexample does not match BN-FWD-1"),
    ],
)
def test_a_report_of_others_writes_no_code(changed: dict[str, object], message: str):
    """What stands in a report becomes literals of a script or nothing."""
    finding = Finding(quantity="shape of the result", got="(1,)", expected="(2,)")
    drawn = a_case() | {"flag": 0, "container": 0}
    verdict = verdict_of(finding, drawn, "BN-FWD-1")
    assert verdict.violation is not None
    values = verdict.violation.values | changed

    index: tuple[object, ...] = ("print('mine')",)
    faulty = FAULTS["not-flat"].implementation
    recording = record_case("BN-FWD-1", Subject(faulty), verdict.violation.values)
    named = replace(
        verdict, violation=replace(verdict.violation, finding=replace(finding, index=index))
    )
    assert "forward(0.0" in (text := script_of(named, recording, blueprint_of(faulty)))
    assert "mine" not in text
    with pytest.raises(NoScript, match=message):
        record_case("BN-FWD-1", Subject(faulty), values)


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
    places = (
        ("conformance.numerics.oracle", "training_call"),
        ("conformance.numerics.oracle", "evaluation_call"),
        ("conformance.numerics.oracle", "gradients"),
        ("conformance.numerics.decimal_oracle", "decimals"),
    )
    bundle = copy_of(places)
    copied: dict[str, Any] = {}
    exec("\n".join([*bundle.imports, *bundle.pieces]), copied)
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
