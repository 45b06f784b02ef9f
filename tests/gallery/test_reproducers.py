"""Scripts of counterexamples: one for every requirement, true of faulty and correct layers."""

from __future__ import annotations

import ast
import contextlib
import io
import runpy
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from support.sampling import THEME_OF, sample_parameters

from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.report.reproducers.construction_spec import Blueprint, Place, blueprint_of
from conformance.report.reproducers.recipes import RECIPES
from conformance.report.reproducers.render import script_of
from conformance.requirements import REQUIREMENTS, Capability, Requirement
from conformance.requirements.verdict import Outcome, Verdict
from impl.faulty import FAULTS, Fault

_BY_CHANCE = {"names-collide-on-disk"}
"""Which of two threads writes last decides whether this fault shows."""

_CORRECT = {
    "layer": "from impl.batchnorm import MyBatchNorm as Norm\n",
    "wide": "from impl.wide_batchnorm import WideBatchNorm as Norm\n",
    "forward": "from impl.forward import batchnorm_forward as Norm\n",
}


def fault_of(identity: str) -> Fault:
    """The first fault of the gallery that a requirement is there for and a script can show."""
    return next(
        fault
        for fault in FAULTS.values()
        if identity in fault.breaks
        and not fault.implementation.deviations
        and fault.name not in _BY_CHANCE
        and importable(fault.implementation, REQUIREMENTS[identity])
    )


def importable(implementation: Implementation, requirement: Requirement) -> bool:
    """Whether a layer can be imported; one without its own class cannot."""
    blueprint = blueprint_of(implementation)
    return bool(blueprint.forward if requirement.needs is Capability.FORWARD else blueprint.layer)


def imported_by(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def judge_fault(fault: Fault, identity: str) -> Verdict:
    verdict = judge_requirement(
        REQUIREMENTS[identity], Subject(fault.implementation), budget(minimize=False)
    )
    assert verdict.outcome is Outcome.VIOLATES
    return verdict


def write_user_module(place: Path, text: str) -> None:
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
    """Return the exit code of a script, run in this process as ``__main__``."""
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


@pytest.mark.parametrize("identity", sample_parameters(REQUIREMENTS, group=THEME_OF.get, every=20))
def test_a_script_tells_the_fault_from_a_correct_layer(identity: str, tmp_path: Path):
    """With the faulty class in the user's module it ends with 1, with a correct one with 0."""
    fault = fault_of(identity)
    verdict = judge_fault(fault, identity)
    blueprint, faulty, correct = moved(fault.implementation, tmp_path)

    write_user_module(tmp_path, faulty)
    script = shown(verdict, blueprint, tmp_path)
    text = script.read_text(encoding="utf-8")
    assert "conformance" not in text
    imported = {
        name.split(".")[0] for node in ast.walk(ast.parse(text)) for name in imported_by(node)
    }
    assert imported <= {"numpy", "jax", "flax", "optax", "orbax", "user_norm"} | set(
        sys.stdlib_module_names
    )
    write_user_module(tmp_path, correct)
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
        ("float16-output-in-evaluation-only", "BN-SHAPE-3"),
        ("single-feature-refused-late", "BN-ERR-2"),
        ("constructor-looks-at-values", "BN-SHAPE-EVAL-1"),  # an exception of the constructor
    ],
)
def test_repeated_comparisons_are_distinguished(name: str, identity: str, tmp_path: Path):
    """The bound that counts is the one of the comparison, not of another one of that name."""
    fault = FAULTS[name]
    verdict = judge_fault(fault, identity)
    blueprint, faulty, correct = moved(fault.implementation, tmp_path)

    write_user_module(tmp_path, faulty)
    script = shown(verdict, blueprint, tmp_path)
    write_user_module(tmp_path, correct)
    assert run_here(script) == 0


_REFUSES_AT_ONCE = """
from impl.batchnorm import MyBatchNorm


class Norm(MyBatchNorm):
    def __call__(self, x, use_running_average):
        if x.shape[1] != self.gamma.shape[0]:
            raise ValueError(x.shape)
        return super().__call__(x, use_running_average)
"""


@pytest.mark.parametrize("correct", [_REFUSES_AT_ONCE, _CORRECT["layer"]])
def test_a_single_feature_may_be_refused_or_broadcast(correct: str, tmp_path: Path):
    """The script of BN-ERR-2 ends with 0 on a layer that does either."""
    fault = FAULTS["reshaped-after-the-update"]
    verdict = judge_fault(fault, "BN-ERR-2")
    blueprint, faulty, _ = moved(fault.implementation, tmp_path)

    write_user_module(tmp_path, faulty)
    script = shown(verdict, blueprint, tmp_path)
    write_user_module(tmp_path, correct)
    assert run_here(script) == 0


@pytest.mark.parametrize("identity", ["BN-EPS-1", "BN-GRAD-3", "BN-EVAL-1", "BN-NUM-1"])
def test_the_bound_is_that_of_the_violation(identity: str, tmp_path: Path):
    """What a correct layer is allowed stands in the script as the report has it."""
    fault = fault_of(identity)
    verdict = judge_fault(fault, identity)
    assert verdict.violation is not None
    blueprint, _, _ = moved(fault.implementation, tmp_path)

    assert f"allowed = {verdict.violation.finding.bound!r} " in script_of(verdict, blueprint)
