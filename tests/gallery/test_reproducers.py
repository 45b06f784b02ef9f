"""Scripts of counterexamples: one for every requirement, true of faulty and correct layers."""

from __future__ import annotations

import ast
import contextlib
import io
import runpy
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.example_reports import IDS
from support.sampling import THEME_OF, exhaustive, sample_parameters

from conformance.adapters import peers
from conformance.adapters.design import PLAIN
from conformance.adapters.implementation import Implementation
from conformance.adapters.resolve import resolve
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.report.reproducers.construction_spec import Blueprint, Place, blueprint_of
from conformance.report.reproducers.recorder import Recording, record_case
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


_DECLARING = [name for name, fault in FAULTS.items() if fault.implementation.deviations]


def fault_of(identity: str) -> Fault:
    """The first fault of the gallery that a requirement is there for and a script can show."""
    return next(
        fault
        for fault in FAULTS.values()
        if identity in fault.breaks
        and not fault.implementation.deviations
        and fault.implementation.design == PLAIN
        and not fault.module.endswith(".designs")
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


def find_violation(implementation: Implementation, identity: str) -> tuple[Verdict, Recording]:
    """Return the verdict on a requirement that is violated, and the recording of its case."""
    subject = Subject(implementation)
    verdict = judge_requirement(REQUIREMENTS[identity], subject, budget(minimize=False))
    assert verdict.outcome is Outcome.VIOLATES
    assert verdict.violation is not None
    return verdict, record_case(identity, subject, verdict.violation.values)


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
        kind = "wide" if own.options or own.mask else "layer"
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
            return 1 if isinstance(end.code, str) else end.code
        finally:
            sys.path[:] = before
    return None


def write_scripts(
    found: tuple[Verdict, Recording], blueprint: Blueprint, folder: Path
) -> list[Path]:
    """Write both scripts for a violation, each of which shows it."""
    scripts = []
    for plain in (True, False):
        script = folder / f"bug_{plain}.py"
        script.write_text(script_of(*found, blueprint, plain=plain), encoding="utf-8")
        assert run_here(script) == 1, found[1].finding
        scripts.append(script)
    return scripts


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch):
    """Files that are rewritten within a second must not be read from a cache."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.mark.parametrize("identity", sample_parameters(IDS, group=THEME_OF.get, every=40))
def test_a_script_tells_the_fault_from_a_correct_layer(identity: str, tmp_path: Path):
    """With the faulty class in the user's module it ends with 1, with a correct one with 0."""
    fault = fault_of(identity)
    found = find_violation(fault.implementation, identity)
    blueprint, faulty, correct = moved(fault.implementation, tmp_path)

    write_user_module(tmp_path, faulty)
    scripts = write_scripts(found, blueprint, tmp_path)
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        imported = {
            name.split(".")[0] for node in ast.walk(ast.parse(text)) for name in imported_by(node)
        }
        assert imported <= {"numpy", "jax", "flax", "optax", "orbax", "user_norm"} | set(
            sys.stdlib_module_names
        )
    write_user_module(tmp_path, correct)
    assert [run_here(script) for script in scripts] == [0, 0]


@pytest.mark.parametrize(
    ("name", "identity", "correct"),
    [
        pytest.param("width-left-out", "BN-TRAIN-1", "Nhwc", marks=exhaustive),
        ("images-reshaped", "BN-EVAL-1", "Nchw"),
        ("height-left-out-of-variance", "BN-JIT-1", "Nchw"),
        ("mode-attribute-inverted", "BN-EMA-1", "ModeAttribute"),
    ],
)
def test_a_script_drives_a_layer_as_it_is_declared(
    name: str, identity: str, correct: str, tmp_path: Path
):
    """Layouts and modes are those of the layer, with the adapter and without."""
    fault = FAULTS[name]
    found = find_violation(fault.implementation, identity)
    blueprint, faulty, _ = moved(fault.implementation, tmp_path)
    write_user_module(tmp_path, faulty)
    scripts = write_scripts(found, blueprint, tmp_path)
    write_user_module(tmp_path, f"from impl.variants.designs import {correct} as Norm\n")
    assert [run_here(script) for script in scripts] == [0, 0]


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("batching-rule-takes-first-layer", "BN-VMAP-1"),  # found in a lane that is not the first
        ("one-update-per-pass", "BN-SHARED-1"),  # shows in the second of two comparisons
        ("deepcopy-forgets-eps", "BN-SER-2"),
        ("shape-drifts", "BN-STATE-5"),
        ("lazy-arrays", "BN-INIT-7"),  # nothing to read
        ("pickle-drops-statistics", "BN-SER-2"),
        ("clones-share-moments", "BN-SEQ-1"),
        ("momentum-leaf", "BN-STATE-4"),  # a leaf that a correct layer does not have
        ("float16-output-in-evaluation-only", "BN-SHAPE-3"),
        ("single-feature-refused-late", "BN-ERR-2"),
        ("constructor-looks-at-values", "BN-SHAPE-EVAL-1"),  # an exception of the constructor
    ],
)
def test_repeated_comparisons_are_distinguished(name: str, identity: str, tmp_path: Path):
    """The bound that counts is the one of the comparison, not of another one of that name."""
    fault = FAULTS[name]
    found = find_violation(fault.implementation, identity)
    blueprint, faulty, correct = moved(fault.implementation, tmp_path)

    write_user_module(tmp_path, faulty)
    scripts = write_scripts(found, blueprint, tmp_path)
    write_user_module(tmp_path, correct)
    assert [run_here(script) for script in scripts] == [0, 0]


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
    found = find_violation(fault.implementation, "BN-ERR-2")
    blueprint, faulty, _ = moved(fault.implementation, tmp_path)

    write_user_module(tmp_path, faulty)
    scripts = write_scripts(found, blueprint, tmp_path)
    write_user_module(tmp_path, correct)
    assert [run_here(script) for script in scripts] == [0, 0]


@pytest.mark.parametrize("identity", ["BN-EPS-1", "BN-GRAD-3", "BN-EVAL-1", "BN-NUM-1"])
def test_the_bound_is_that_of_the_violation(identity: str, tmp_path: Path):
    """What a correct layer is allowed stands in the script as the report has it."""
    fault = fault_of(identity)
    verdict, recording = find_violation(fault.implementation, identity)
    assert verdict.violation is not None
    blueprint, _, _ = moved(fault.implementation, tmp_path)

    text = script_of(verdict, recording, blueprint)
    assert f"allowed = {verdict.violation.finding.bound!r} " in text


@pytest.mark.parametrize(
    "identity", ["BN-TRAIN-1", "BN-EVAL-1", "BN-EMA-1", "BN-FLAG-3", "BN-EPS-1"]
)
def test_the_script_of_a_plain_call_is_short(identity: str, tmp_path: Path):
    """From a minimal case it fits on a screen, and shows how the expected value is computed."""
    implementation = fault_of(identity).implementation
    subject = Subject(implementation)
    verdict = judge_requirement(REQUIREMENTS[identity], subject, budget())
    assert verdict.violation is not None
    recording = record_case(identity, subject, verdict.violation.values)
    blueprint, _, _ = moved(implementation, tmp_path)

    text = script_of(verdict, recording, blueprint)
    assert len(text.splitlines()) <= 50
    assert "layer(given, use_running_average=" in text
    assert "rngs=nnx.Rngs(0))" in text


@pytest.mark.parametrize(
    ("adapter", "package", "identity"),
    [
        (peers.linen, "flax", "BN-TRAIN-1"),
        (peers.linen, "flax", "BN-GRAD-3"),
        pytest.param(peers.linen, "flax", "BN-MASK-1", marks=exhaustive),
        (peers.equinox, "equinox", "BN-EMA-1"),
        (peers.haiku, "haiku", "BN-EMA-1"),
        (peers.torch_1d, "torch", "BN-EMA-2"),
    ],
)
def test_layers_of_other_frameworks_have_scripts(
    adapter: Callable[[], Implementation], package: str, identity: str, tmp_path: Path
):
    """The adapter is copied; what a declaration allows is shown where it is ignored."""
    pytest.importorskip(package)
    strict = adapter().read(strictly=True)
    found = find_violation(strict, identity)

    for script in write_scripts(found, blueprint_of(strict), tmp_path):
        assert "import conformance" not in script.read_text(encoding="utf-8")


_FUNCTION = """
def norm(x, gamma, beta, mean, var, training, momentum, eps):
    return gamma * (x - mean) / (var + eps) ** 0.5 + beta, mean, var
"""


def test_recognized_functions_have_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A script reads a function, or a class of another framework, as the suite does."""
    (tmp_path / "never_trains.py").write_text(_FUNCTION, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    implementation = resolve(f"{tmp_path / 'never_trains.py'}:norm")
    found = find_violation(implementation, "BN-EMA-1")
    write_scripts(found, blueprint_of(implementation), tmp_path)


_OF_CONFIG = """
from support.unusual_layers import Config, Configured, Listed


class NeverTrains(Configured):
    def __init__(self, cfg: Config, *, rngs):
        super().__init__(cfg, rngs=rngs)

    def apply(self, x, trains):
        return super().apply(x, False)


class AlwaysTrains(Listed):
    def apply(self, x, trains):
        return super().apply(x, True)
"""


@pytest.mark.parametrize(
    ("name", "identity"), [("NeverTrains", "BN-EMA-1"), ("AlwaysTrains", "BN-EVAL-1")]
)
def test_recognized_classes_have_scripts(
    name: str, identity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The suite makes the configuration object; a word for the mode is written in full."""
    file = tmp_path / "unusual.py"
    file.write_text(_OF_CONFIG, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    implementation = resolve(f"{file}:{name}")
    found = find_violation(implementation, identity)
    write_scripts(found, blueprint_of(implementation), tmp_path)


@pytest.mark.parametrize(
    "name", sample_parameters(_DECLARING, group=lambda _: "declaring", every=4)
)
def test_declared_conventions_have_scripts(name: str, tmp_path: Path):
    """The expected value follows the declared convention: its numbers are literals."""
    fault = FAULTS[name]
    found = find_violation(fault.implementation, min(fault.breaks))

    write_scripts(found, blueprint_of(fault.implementation), tmp_path)
