"""Nothing that an implementation does can break a run, or change the verdict on another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest

from conformance import progress
from conformance.cli.session import _exit_code
from conformance.isolation.keeper import Keeper
from conformance.ledger import Ledger, Plan
from conformance.profiles import budget
from conformance.report.model import SCHEMA
from conformance.requirements import REQUIREMENTS
from conformance.subject import calling
from conformance.verdict import Outcome, Verdict

TESTS = Path(__file__).parent
GOOD = "hostile.good:layer"

DEAD = {
    "exits": "the process ended with exit code 0",
    "segfault": "the process was ended by SIGSEGV",
    "abort": "the process was ended by SIGABRT",
    "killed": "the process was ended by SIGKILL",
    "recursion": "RecursionError",
    "memory_hog": "MemoryError",
    "deaf": "the process closed the line to the suite",
}
HANGING = dict.fromkeys(("in_python", "in_c"), "no result within 4 s")
CONSTRUCTING = {
    "raises": "ValueError: features must be a multiple of 128",
    "hangs": "no result within 4 s",
    "nothing": "AttributeError: 'NoneType' object has no attribute 'write'",
}
ANSWERS = {
    "shape": "shape of y",
    "dtype": "y in evaluation: got",
    "text": "y: got str, expected a numeric array",
    "nothing": "y: got NoneType, expected a numeric array",
    "generator": "y: got generator, expected a numeric array",
    "tracer": "DynamicJaxprTracer, expected a numeric array",
    "object_": "KeyboardInterrupt",
    "nan": "got nan",
    "no_state": "gamma: got NoneType, expected a numeric array",
    "fickle": "y in evaluation: got",
}
RAISED = {
    "interrupt": "KeyboardInterrupt",
    "leave": "SystemExit: 0",
    "generator_exit": "GeneratorExit",
    "base": "_Base: neither fish nor fowl",
    "mute": "_Mute, whose message raises RuntimeError",
    "skip": "Skipped: nothing to see here",
    "end": "Exit: over",
    "markup": r"ValueError: [red]boo[/] \x1b]0;title\x07 <b>&\x00 \udcff",
}
EFFECTS = {
    "prints": None,
    "closes": "sys.stdout",
    "writes": None,
    "moves": "the working directory",
    "seeds": None,
    "x64": "jax.config.jax_enable_x64",
    "warns": None,
    "environment": "os.environ['JAX_PLATFORMS']",
    "signals": "the handler of SIGTERM",
    "patches": "jax.numpy.mean",
    "leaks": None,
    "threads": None,
}
IMPORTS = {
    "import_raises": "RuntimeError: the wheel was built for another planet (import_raises.py, line",
    "import_leaves": "SystemExit: 3",
    "import_dies": "importing it: the process ended with exit code 7",
    "import_hangs": "importing it: no result within 4 s",
}


def conformance(*arguments: str, cwd: Path, path: Path = TESTS) -> subprocess.CompletedProcess[str]:
    """Run the command line as users do; 300 s are more than any may take, on a busy machine too."""
    found = os.pathsep.join([str(path), str(TESTS), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"COLUMNS": "80", "PYTHONPATH": found},
    )


def judged(names: list[str], cwd: Path, *options: str) -> tuple[int, dict, str]:
    """Return exit code, report and text of a run; the report is valid and complete."""
    done = conformance(
        "run", *names, "-j1", "--max-examples=3", "--call-timeout=4", "--no-diagnosis",
        "--report=report.json", "--junit=junit.xml", *options, cwd=cwd,
    )  # fmt: skip
    assert (cwd / "report.json").exists(), done.stdout + done.stderr
    data = json.loads((cwd / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert data["footer"]["complete"]
    assert data["footer"]["exit_code"] == done.returncode
    assert "Traceback" not in done.stdout + done.stderr
    ET.parse(cwd / "junit.xml")
    return done.returncode, data, done.stdout


def of(report: dict, name: str) -> list[dict]:
    """Return the verdicts on one implementation, without how long they took."""
    return [v | {"seconds": 0} for v in report["verdicts"] if v["implementation"] == name]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> list[dict]:
    """The verdicts on the good layer when it is judged alone."""
    code, report, _ = judged([GOOD], tmp_path_factory.mktemp("alone"), "-k", "EVAL-1")
    assert code == 0
    return of(report, GOOD)


@pytest.mark.parametrize(
    ("kind", "causes"),
    [
        ("constructing", CONSTRUCTING),
        ("hanging", HANGING),
        ("dying", DEAD),
        ("answering", ANSWERS),
        ("raising", RAISED),
    ],
)
def test_what_a_layer_does_is_its_own_violation(kind, causes, alone, tmp_path):
    """Each is found to violate, for the right reason; the layer judged after it is not."""
    names = {f"hostile.{kind}:{name}": cause for name, cause in causes.items()}
    code, report, said = judged([*names, GOOD], tmp_path, "-k", "EVAL-1")

    assert code == 1
    assert of(report, GOOD) == alone
    for name, cause in names.items():
        (verdict,) = of(report, name)
        assert verdict["outcome"] == "violates", verdict
        finding = verdict["violation"]["finding"]
        told = f"{finding['quantity']}: got {finding['got']}, expected {finding['expected']}"
        assert cause in told, name
        assert verdict["violation"]["inputs"]["x"], name  # the case is known, even of the dead
    assert not {"\x1b", "\x07", "\0"} & set(said)


def test_what_the_process_shares_is_not_shared(alone, tmp_path):
    """Who changes process-wide state conforms if its numbers do, is told, and harms nobody."""
    names = {f"hostile.meddling:{name}": effect for name, effect in EFFECTS.items()}
    code, report, said = judged([*names, GOOD], tmp_path, "-k", "EVAL-1")

    assert code == 0
    assert of(report, GOOD) == alone
    for name, effect in names.items():
        (verdict,) = of(report, name)
        assert verdict["outcome"] == "conforms", verdict
        told = report["side_effects"].get(name, [])
        assert (effect in told) if effect else not told, name
    assert "hostile.meddling:moves changed process-wide state: the working directory." in said
    assert "spam" not in said


def test_what_cannot_be_imported_is_an_error_of_its_own(alone, tmp_path):
    """The others are judged all the same; the exit code says that something is not usable."""
    names = {f"hostile.{name}:layer": cause for name, cause in IMPORTS.items()}
    code, report, _ = judged([*names, GOOD], tmp_path, "-k", "EVAL-1")

    assert code == 2
    assert of(report, GOOD) == alone
    for name, cause in names.items():
        (verdict,) = of(report, name)
        assert verdict["outcome"] == "errored"
        assert cause in verdict["detail"]


def test_an_error_counts_at_any_level():
    """A run in which a SHOULD could not be judged does not end with 0."""
    rows = (REQUIREMENTS["BN-STATE-8"], REQUIREMENTS["BN-EVAL-1"])
    ledger = Ledger(Plan(implementations=("x",), requirements=rows, budget=budget()))
    for row, outcome in zip(rows, (Outcome.ERRORED, Outcome.CONFORMS), strict=True):
        level = row.level.value
        verdict = Verdict(
            requirement=row.id, implementation="x", kind="", outcome=outcome, level=level
        )
        ledger.note(verdict)
    assert [row.level.value for row in rows] == ["should", "must"]
    assert _exit_code(ledger, status=1) == 2


def test_nothing_to_judge_is_one_message(tmp_path):
    """If nothing named can be imported, that is all there is to say, and nothing is written."""
    names = ("hostile.import_raises:layer", "hostile.import_leaves:layer")
    done = conformance("run", *names, "-k", "EVAL-1", "--report", "report.json", cwd=tmp_path)

    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert said.count("another planet") == said.count("SystemExit: 3") == 1, said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_backward_pass_may_hang_or_not_exist(tmp_path):
    """An endless derivative is a violation, and so is a capability that is only declared."""
    names = ["hostile.hanging:Backward", "hostile.lying:module"]
    code, report, _ = judged(names, tmp_path, "-k", "GRAD-3")

    assert code == 1
    (endless,), (lie,) = (of(report, name) for name in names)
    assert endless["violation"]["finding"]["got"] == "no result within 4 s"
    assert "differentiating" in endless["violation"]["finding"]["quantity"]
    assert lie["outcome"] == "violates", lie
    assert "module" in lie["violation"]["finding"]["got"]


def test_a_layer_that_keeps_dying_is_given_up(tmp_path):
    """After two lost processes the rest is reported as not judged, and says why, once."""
    code, report, said = judged(["hostile.dying:exits"], tmp_path, "-k", "EVAL")

    assert code == 1
    outcomes = [v["outcome"] for v in report["verdicts"]]
    assert outcomes.count("violates") == 2
    assert outcomes.count("errored") == len(outcomes) - 2
    assert said.count("not judged any more: 2 processes were lost in BN-EVAL-") == 1


@pytest.fixture
def installed(tmp_path) -> Path:
    """A directory with a distribution whose entry points are bad in every way."""
    (tmp_path / "evil.py").write_text("print('LOADED')\nraise OSError('evil')\n", "utf-8")
    metadata = tmp_path / "evil-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[conformance.implementations]\n"
        "raising = evil:layer\nmissing = nowhere.to.be.found:layer\n"
        "attribute = numpy_norm:Nope\nimpl = evil:layer\n"
        "[bold]x = hostile.good:layer\n"
        "[conformance.galleries]\nnames = hostile.lying:NAMES\n"
    )
    return tmp_path


def test_bad_entry_points(installed, tmp_path):
    """Listing loads none; each fails with its own message; a name for two things is refused."""
    listed = conformance("implementations", cwd=tmp_path, path=installed)
    assert listed.returncode == 0
    assert "evil:layer" in listed.stdout
    assert "LOADED" not in listed.stdout + listed.stderr
    for name, message in {
        "raising": "entry point 'raising' (evil:layer) cannot be imported: OSError: evil",
        "missing": "No module named 'nowhere'",
        "attribute": "has no attribute 'Nope'",
        "impl": "'impl' is registered by more than one package",
    }.items():
        done = conformance("run", name, "-k", "EVAL-1", "-j1", cwd=tmp_path, path=installed)
        assert done.returncode == 2, done.stdout
        assert message in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_names_are_shown_as_text(installed, tmp_path, monkeypatch):
    """Markup and control characters in a name do not reach the terminal, JSON or JUnit as such."""
    monkeypatch.setenv("PYTHONPATH", str(installed), prepend=os.pathsep)
    name = "names:[bold red]x[/] \x1b[2J\u202e<script>&"
    code, report, said = judged([name], tmp_path, "-k", "EVAL-1")

    assert code == 0, said
    assert [v["implementation"] for v in report["verdicts"]] == [name]
    assert r"names:[bold red]x[/] \x1b[2J\u202e<script>&: conforms to 1 of 1" in said
    assert not {"\x1b", "\u202e"} & set(said + (tmp_path / "report.json").read_text())
    assert "\x1b" not in (tmp_path / "junit.xml").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupted_run_keeps_what_it_has(number, jobs, tmp_path):
    """The report is valid and marked incomplete, names what is missing, and no process stays."""
    report = tmp_path / "report.json"
    environment = os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{os.environ.get('PYTHONPATH')}"}
    command = [sys.executable, "-m", "conformance", "run", "hostile.hanging:in_python"]
    running = subprocess.Popen(
        [*command, "-k", "EVAL", "-j", jobs, "--report", str(report)],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    time.sleep(6)
    running.send_signal(number)
    said, _ = running.communicate(timeout=60)

    assert running.returncode == 128 + number, said
    assert "Traceback" not in said
    assert "Incomplete: " in said
    data = json.loads(report.read_text(encoding="utf-8"))
    jsonschema.validate(data, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert not data["footer"]["complete"]
    assert "BN-EVAL-1[hostile.hanging:in_python]" in data["footer"]["missing"]


def test_an_interrupt_of_the_user_is_no_violation(monkeypatch):
    """In a process that is not watched, KeyboardInterrupt goes through."""
    monkeypatch.setattr(progress, "_watchers", [])
    with pytest.raises(KeyboardInterrupt), calling("the call"):
        raise KeyboardInterrupt


def test_correct_layers_have_no_side_effects():
    """What jax and flax do by themselves is not blamed on the layer."""
    keeper = Keeper(budget(max_examples=2))
    try:
        for requirement in ("BN-EVAL-1", "BN-GRAD-3", "BN-JIT-3"):
            verdict = keeper.judge(requirement, "impl")
            assert verdict.outcome is Outcome.CONFORMS
        assert keeper.effects("impl") == []
    finally:
        keeper.close()
