"""Scripts of counterexamples: one for every requirement, true of faulty and correct layers."""

from __future__ import annotations

import ast
import contextlib
import io
import runpy
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judged import judged as judged_by

from conformance.case import State
from conformance.exact import violation_of
from conformance.implementation import Deviation, Implementation
from conformance.judging import judge_requirement
from conformance.oracle import evaluate as evaluated_by_oracle
from conformance.oracle import evaluation_gradient, train, training_gradient
from conformance.profiles import budget
from conformance.requirements import REQUIREMENTS
from conformance.scripts import definition
from conformance.scripts.blueprint import Blueprint, Place, blueprint_of
from conformance.scripts.literals import written
from conformance.scripts.recipes import RECIPES
from conformance.scripts.rendering import script_of
from conformance.scripts.script import NoScript
from conformance.scripts.writing import write_script
from conformance.strategies.cotangents import GRADIENT, pulled_cases
from conformance.strategies.source import SIZE, decoded_from
from conformance.subject import Subject
from conformance.verdict import Finding, Outcome, Verdict, Violation
from impl import reference
from impl.faulty import FAULTS, Fault

_BY_CHANCE = {"names-collide-on-disk"}
"""Which of two threads writes last decides whether this fault shows."""

_CORRECT = {
    "layer": "from impl.batchnorm import MyBatchNorm as Norm\n",
    "wide": "from impl.wide_batchnorm import WideBatchNorm as Norm\n",
    "forward": "from impl.forward import batchnorm_forward as Norm\n",
}


def fault_of(identity: str) -> Fault:
    """The first fault of the gallery that a requirement is there for."""
    return next(
        fault
        for fault in FAULTS.values()
        if identity in fault.breaks
        and not fault.implementation.deviations
        and fault.name not in _BY_CHANCE
    )


def imported_by(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def found_on(fault: Fault, identity: str) -> Verdict:
    verdict = judge_requirement(
        REQUIREMENTS[identity], Subject(fault.implementation), budget(minimize=False)
    )
    assert verdict.outcome is Outcome.VIOLATES
    return verdict


def in_a_file(place: Path, text: str) -> None:
    """Make this text the user's module, for whoever imports it next in this process."""
    (place / "user_norm.py").write_text(text, encoding="utf-8")
    sys.modules.pop("user_norm", None)


def moved(implementation: Implementation, place: Path) -> tuple[Blueprint, str, str]:
    """The blueprint of an implementation that is in the user's module; both texts of that."""
    own = blueprint_of(implementation)
    here = Place(module="user_norm", name="Norm", file=str(place / "user_norm.py"))
    if own.layer is None:
        assert own.forward is not None
        blueprint, source, kind = replace(own, forward=here), own.forward, "forward"
    else:
        kind = "wide" if own.wider else "layer"
        blueprint, source = replace(own, layer=here), own.layer
    faulty = f"from {source.module} import {source.name} as Norm\n"
    return blueprint, faulty, _CORRECT[kind]


def run_here(path: Path) -> object:
    """Return the exit code of a script, run in this process as a program of its own."""
    before = list(sys.path)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            return end.code
        finally:
            sys.path[:] = before
    return None


def shown(verdict: Verdict, blueprint: Blueprint, place: Path) -> Path:
    """Write the script that shows a violation, as ``write_script`` looks for it."""
    path = place / "bug.py"
    for occurrence in range(8):
        path.write_text(script_of(verdict, blueprint, occurrence), encoding="utf-8")
        if (status := run_here(path)) != 0:
            assert status == 1, verdict.violation
            return path
    pytest.fail("no occurrence shows it")


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch):
    """Files that are rewritten within a second must not be read from a cache."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def test_every_requirement_has_a_recipe():
    """Whatever can be violated can be shown by a script."""
    assert set(RECIPES) == set(REQUIREMENTS)


@pytest.mark.parametrize("identity", REQUIREMENTS)
def test_a_script_tells_the_fault_from_a_correct_layer(identity: str, tmp_path: Path):
    """With the faulty class in the user's module it ends with 1, with a correct one with 0."""
    fault = fault_of(identity)
    verdict = found_on(fault, identity)
    blueprint, faulty, correct = moved(fault.implementation, tmp_path)

    in_a_file(tmp_path, faulty)
    script = shown(verdict, blueprint, tmp_path)
    text = script.read_text(encoding="utf-8")
    assert "conformance" not in text
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in imported_by(node)
    }
    assert imported <= {"numpy", "jax", "flax", "optax", "orbax", "user_norm"} | set(
        sys.stdlib_module_names
    )
    in_a_file(tmp_path, correct)
    assert run_here(script) == 0


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("batching-rule-takes-first-layer", "BN-VMAP-1"),  # found in a lane that is not the first
        ("one-update-per-pass", "BN-SHARED-1"),  # shows in the second of two comparisons
        ("deepcopy-forgets-eps", "BN-SER-2"),
        ("shape-drifts", "BN-STATE-5"),
        ("lazy-arrays", "BN-INIT-7"),  # nothing to read
        ("pickle-drops-statistics", "BN-SEQ-1"),
        ("deepcopy-is-the-layer", "BN-SEQ-1"),
        ("momentum-leaf", "BN-STATE-4"),  # a leaf that a correct layer does not have
        ("constructor-looks-at-values", "BN-SHAPE-EVAL-1"),  # an exception of the constructor
    ],
)
def test_repeated_comparisons_are_told_apart(name: str, identity: str, tmp_path: Path):
    """The bound that counts is the one of the comparison, not of another one of that name."""
    fault = FAULTS[name]
    verdict = found_on(fault, identity)
    blueprint, faulty, correct = moved(fault.implementation, tmp_path)

    in_a_file(tmp_path, faulty)
    script = shown(verdict, blueprint, tmp_path)
    in_a_file(tmp_path, correct)
    assert run_here(script) == 0


@pytest.mark.parametrize("identity", ["BN-EPS-1", "BN-GRAD-3", "BN-EVAL-1", "BN-NUM-1"])
def test_the_bound_is_that_of_the_violation(identity: str, tmp_path: Path):
    """What a correct layer is allowed stands in the script as the report has it."""
    fault = fault_of(identity)
    verdict = found_on(fault, identity)
    assert verdict.violation is not None
    blueprint, _, _ = moved(fault.implementation, tmp_path)

    assert f"allowed = {verdict.violation.finding.bound!r} " in script_of(verdict, blueprint)


_FAULTY_FILE = """
import jax
import jax.numpy as jnp
from flax import nnx


class Norm(nnx.Module):
    def __init__(self, d, momentum, eps, rngs):
        self.gamma, self.beta = nnx.Param(jnp.ones(d)), nnx.Param(jnp.zeros(d))
        self.running_mean, self.running_var = nnx.Variable(jnp.zeros(d)), nnx.Variable(jnp.ones(d))
        self.momentum, self.eps = momentum, eps

    def __call__(self, x, use_running_average):
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var, m = x.mean(axis=0), x.var(axis=0), self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * STOP(mean)
            self.running_var[...] = m * self.running_var[...] + (1 - m) * STOP(var)
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
"""


@pytest.mark.parametrize("identity", ["BN-GRAD-8", "BN-SEQ-1"])
def test_a_script_is_a_program_of_its_own(identity: str, tmp_path: Path):
    """Run by another interpreter, on a class in a file: 1, then 0 once mended, 125 once gone."""
    faults = {
        "BN-GRAD-8": ("STOP", ""),
        "BN-SEQ-1": ("(1 - m) * STOP(var)", "m * var"),
    }
    path = tmp_path / "norm.py"
    right = _FAULTY_FILE.replace("STOP", "jax.lax.stop_gradient")
    path.write_text(
        _FAULTY_FILE.replace(*faults[identity]).replace("STOP", "jax.lax.stop_gradient")
    )
    from conformance.resolution import resolve  # noqa: PLC0415  the file is there only now

    implementation = resolve(f"{path}:Norm")
    verdict = judged_by(Subject(implementation), identity)
    script = tmp_path / "bug.py"
    write_script(verdict, blueprint_of(implementation), script)

    assert status_of(script) == 1
    path.write_text(right)
    assert status_of(script) == 0
    path.unlink()
    assert status_of(script) == 125


def status_of(script: Path) -> int:
    command = [sys.executable, "-B", str(script)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def verdict_of(finding: Finding, drawn: dict[str, object], identity: str = "BN-TRAIN-1") -> Verdict:
    violation = violation_of(identity, finding, drawn)
    return Verdict(
        requirement=identity,
        implementation="norm.py:Norm",
        kind="seed-shaped nnx.Module",
        outcome=Outcome.VIOLATES,
        level="MUST",
        violation=violation,
    )


def a_case() -> dict[str, object]:
    raw = np.random.default_rng(1).bytes(SIZE)
    return {"case": decoded_from(raw, {"d": pulled_cases(GRADIENT)})["d"].case}


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
    got = "no result within 5 s" if "sleep" in how else "the process ended with exit code 0"
    finding = Finding(quantity="the call in training", got=got, expected="a result")
    blueprint = in_user_module(tmp_path, _HANGING.replace("HOW", how))
    script = tmp_path / "bug.py"
    text = script_of(verdict_of(finding, a_case()), blueprint).replace("timeout=5", "timeout=9")
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
    blueprint = in_user_module(tmp_path, _CORRECT["layer"])

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
def test_the_definition_is_that_of_the_oracle(number: int):
    """What is copied into scripts gives what the suite expects."""
    raw = np.random.default_rng([number, 3]).bytes(SIZE)
    case, w, _ = decoded_from(raw, {"drawn": pulled_cases(GRADIENT)})["drawn"]
    state, config = case.state or State.fresh(case.config.features), case.config
    held = state.arrays()
    expected = train(config, state, case.x)
    found = definition.trained(case.x, held, config.momentum, config.eps)
    exact = definition.exactly_trained(case.x, held, config.momentum, config.eps)
    for name in ("y", "running_mean", "running_var"):
        np.testing.assert_allclose(found[name], getattr(expected, name), rtol=1e-12)
        np.testing.assert_allclose(exact[name], getattr(expected, name), rtol=1e-9)
    in_evaluation = definition.evaluated(case.x, held, config.eps)
    wanted = evaluated_by_oracle(config, state, case.x)
    np.testing.assert_allclose(in_evaluation, wanted, rtol=1e-12)
    exact_y = definition.exactly_evaluated(case.x, held, config.eps)
    np.testing.assert_allclose(exact_y, in_evaluation, rtol=1e-9, atol=1e-12)
    for mode, oracle_of in ((False, training_gradient), (True, evaluation_gradient)):
        pulled = definition.gradients(case.x, held, config.eps, w, mode)
        gradient = oracle_of(config, state, case.x, w)
        for name, value in pulled.items():
            np.testing.assert_allclose(value, getattr(gradient, name), rtol=1e-9, atol=1e-9)
