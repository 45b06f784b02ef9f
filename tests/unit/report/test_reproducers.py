"""Writing scripts: programs of their own, with a time limit, and reasons why there is none."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from support.judged import judged as judged_by

from conformance.adapters.implementation import Implementation
from conformance.adapters.resolve import resolve
from conformance.numerics.oracle import evaluate, evaluation_gradient, train, training_gradient
from conformance.numerics.state import State
from conformance.properties.support.subject import Subject
from conformance.report.reproducers.construction_spec import Blueprint, Place, blueprint_of
from conformance.report.reproducers.inliner import pieces_for
from conformance.report.reproducers.literals import written
from conformance.report.reproducers.render import script_of
from conformance.report.reproducers.script import NoScript
from conformance.report.reproducers.verify import write_script
from conformance.requirements.deviations import Deviation
from conformance.requirements.finding import Finding, FindingKind
from conformance.requirements.requirement import Level
from conformance.requirements.verdict import Outcome, Verdict, Violation
from conformance.strategies.bytestream import SIZE, draw_from_bytes
from conformance.strategies.codec import make_violation
from conformance.strategies.cotangents import GRADIENT, pulled_cases
from impl import reference
from impl.faulty import FAULTS

_OF_A_FILE = """
from impl.batchnorm import MyBatchNorm


class Norm(MyBatchNorm):
    def _updated(self, running, batch):
        return UPDATED
"""
_UPDATES = {
    "BN-GRAD-8": "self.momentum * running + (1 - self.momentum) * batch",
    "BN-SEQ-1": "self.momentum * running + self.momentum * batch",
    "right": "super()._updated(running, batch)",
}


@pytest.mark.parametrize("identity", ["BN-GRAD-8", "BN-SEQ-1"])
def test_a_script_is_a_program_of_its_own(identity: str, tmp_path: Path):
    """Run by another interpreter, on a class in a file: 1, then 0 once mended, 125 once gone."""
    path = tmp_path / "norm.py"
    path.write_text(_OF_A_FILE.replace("UPDATED", _UPDATES[identity]))
    implementation = resolve(f"{path}:Norm")
    verdict = judged_by(Subject(implementation), identity)
    script = tmp_path / "bug.py"
    write_script(verdict, blueprint_of(implementation), script)

    assert status_of(script) == 1
    path.write_text(_OF_A_FILE.replace("UPDATED", _UPDATES["right"]))
    assert status_of(script) == 0
    path.unlink()
    assert status_of(script) == 125


def status_of(script: Path) -> int:
    command = [sys.executable, "-B", str(script)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_a_class_within_another_in_a_file_of_any_name(tmp_path: Path):
    """What cannot be imported by a statement is imported all the same."""
    path = tmp_path / "my-norm.py"
    text = _OF_A_FILE.replace("UPDATED", _UPDATES["BN-SEQ-1"]).replace("\n", "\n    ")
    head, _, body = text.partition("class Norm")
    path.write_text(f"{head.strip()}\nclass Outer:\n    class Norm{body}")
    implementation = resolve(f"{path}:Outer.Norm")
    verdict = judged_by(Subject(implementation), "BN-EMA-2", minimize=False)
    write_script(verdict, blueprint_of(implementation), tmp_path / "bug.py")

    assert status_of(tmp_path / "bug.py") == 1


def verdict_of(finding: Finding, drawn: dict[str, object], identity: str = "BN-TRAIN-1") -> Verdict:
    violation = make_violation(identity, finding, drawn)
    return Verdict(
        requirement=identity,
        implementation="norm.py:Norm",
        kind="seed-shaped nnx.Module",
        outcome=Outcome.VIOLATES,
        level=Level.MUST,
        violation=violation,
    )


def a_case() -> dict[str, object]:
    raw = np.random.default_rng(1).bytes(SIZE)
    return {"case": draw_from_bytes(raw, {"d": pulled_cases(GRADIENT)})["d"].case}


_HANGING = """
import os, time
from impl.batchnorm import MyBatchNorm

class Norm(MyBatchNorm):
    def __call__(self, x, use_running_average):
        HOW
        return super().__call__(x, use_running_average)
"""


def in_user_module(place: Path, text: str) -> Blueprint:
    (place / "user_norm.py").write_text(text, encoding="utf-8")
    here = Place(module="user_norm", name="Norm", file=str(place / "user_norm.py"))
    return replace(blueprint_of(reference()), layer=here)


@pytest.mark.parametrize("how", ["time.sleep(600)", "os._exit(0)"])
def test_a_layer_that_hangs_or_dies_has_a_script(how: str, tmp_path: Path):
    """It watches the layer from another process, and ends with 1 by itself."""
    kind, limit = (FindingKind.TIMED_OUT, 5) if "sleep" in how else (FindingKind.LOST, None)
    finding = Finding(
        quantity="the call in training",
        got="nothing",
        expected="a result",
        kind=kind,
        limit_s=limit,
    )
    blueprint = in_user_module(tmp_path, _HANGING.replace("HOW", how))
    script = tmp_path / "bug.py"
    text = script_of(verdict_of(finding, a_case()), blueprint).replace(
        "timeout=5 + 60", "timeout=9"
    )
    script.write_text(text, encoding="utf-8")

    assert status_of(script) == 1
    in_user_module(tmp_path, _HANGING.replace("HOW", "pass"))
    assert status_of(script) == 0


def test_trying_a_script_has_a_limit(tmp_path: Path):
    """A layer that hangs where a number was wrong before does not hang the command."""
    finding = Finding(quantity="y", got=1.0, expected=2.0, bound=0.1, ratio=10.0, index=(0, 0))
    blueprint = in_user_module(tmp_path, _HANGING.replace("HOW", "time.sleep(600)"))

    with pytest.raises(NoScript, match=r"did not come to an end within 6 s; it was stopped"):
        write_script(verdict_of(finding, a_case()), blueprint, tmp_path / "bug.py", limit=6)
    assert not (tmp_path / "bug.py").exists()


def test_what_does_not_come_back_is_not_written(tmp_path: Path):
    """A correct layer is accused of nothing: there is no script, and the message says why."""
    finding = Finding(quantity="y", got=1.0, expected=2.0, bound=0.1, ratio=10.0, index=(0, 0))
    blueprint = in_user_module(tmp_path, "from impl.batchnorm import MyBatchNorm as Norm\n")

    with pytest.raises(
        NoScript, match=r"ended with 0: from the same inputs .* `conformance replay"
    ):
        write_script(verdict_of(finding, a_case()), blueprint, tmp_path / "bug.py")
    blueprint = in_user_module(tmp_path, "raise ImportError('gone')\n")
    with pytest.raises(NoScript, match=r"ended with 125, .*: cannot be imported: gone"):
        write_script(verdict_of(finding, a_case()), blueprint, tmp_path / "bug.py")
    assert not (tmp_path / "bug.py").exists()


def test_reasons_why_there_is_no_script():
    """Adapters, conventions of their own, and names that cannot be imported are told apart."""
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
        ({"encoding": 99}, "its stored case is none of BN-FLAG-1: tuple index out of range"),
        ({"encoding": None}, "its stored case is none of BN-FLAG-1"),
        ({"case": {"$": "Popen", "fields": {}}}, "its stored case cannot be read"),
        ({"other": 1}, "its stored case is none of BN-FLAG-1"),
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
    """What is copied into scripts needs NumPy alone, and computes what the suite expects."""
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
