"""The command line: its output and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from support.command_line import conformance
from support.sampling import exhaustive
from support.written_modules import SEED_SHAPED

from conformance.frontends.cli import main
from conformance.report.model import SCHEMA, Report
from conformance.requirements import REQUIREMENTS, select

SWAPPED = SEED_SHAPED.replace("class Norm", "class Swapped").replace(
    "m * self.running_mean[...] + (1 - m) * mean", "(1 - m) * self.running_mean[...] + m * mean"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a layer whose running mean has its momentum swapped."""
    (tmp_path / "my_norm.py").write_text(SWAPPED, encoding="utf-8")
    return tmp_path


def test_a_conforming_run_ends_with_zero(tmp_path):
    """The reference conforms; the answer is the first of the last lines."""
    done = conformance("run", "impl", "-k", "INIT,FWD", "--max-examples", "20", "-j1", cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "impl: conforms to 18 of 18 requirements.\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_violation_is_reported_in_full(project):
    """Id, sentence, formula, numbers, inputs and the command that reruns just this."""
    done = conformance(
        "run", "my_norm.py:Swapped", "-v", "-k", "EMA-1,INIT-1", "-j1", "--no-diagnosis",
        "--report", "out/report.json", "--junit", "out/junit.xml", cwd=project,
    )  # fmt: skip

    assert done.returncode == 1, done.stdout + done.stderr
    assert "Deprecat" not in done.stdout + done.stderr
    text = done.stdout[done.stdout.index("✗") :]
    assert text.startswith(
        "✗ BN-EMA-1  A training call moves the running mean towards the batch mean;\n"
        "    momentum is the weight of the old value.\n"
        "    rm' = m·rm + (1−m)·μ\n"
        "    my_norm.py:Swapped · MUST · violates\n"
        "    running_mean: got "
    )
    assert "momentum = " in text
    assert "x = [[" in text
    assert "    Again:    conformance run my_norm.py:Swapped -k BN-EMA-1\n" in text
    assert "my_norm.py:Swapped: fails 1 of 2 requirements (1 MUST).\n" in text
    assert max(map(len, done.stdout.splitlines())) <= 80

    report = Report.read(project / "out/report.json")
    jsonschema.validate(report.to_dict(), json.loads(SCHEMA.read_text("utf-8")))
    assert report.complete
    assert [v.outcome.value for v in report.verdicts] == ["conforms", "violates"]
    assert "BN-EMA-1" in (project / "out/junit.xml").read_text("utf-8")


@exhaustive
def test_the_counterexample_of_a_swapped_momentum_is_tiny(project):
    """Two numbers of input are enough, and the report has no more than four."""
    conformance("run", "my_norm:Swapped", "-k", "EMA-1", "--report", "r.json", "-j1", cwd=project)

    (verdict,) = Report.read(project / "r.json").verdicts
    assert verdict.violation is not None
    x = verdict.violation.inputs["x"]
    assert sum(map(len, x)) <= 4, x


def test_nothing_judged_ends_with_five(tmp_path):
    """A forward function has no running statistics to judge."""
    done = conformance("run", "impl.forward:batchnorm_forward", "-k", "EMA", "-j1", cwd=tmp_path)

    assert done.returncode == 5
    assert "Nothing was judged: no chosen requirement applies to what was named." in done.stdout


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_name_that_leads_nowhere_ends_with_two(project, jobs):
    """The message is one line and suggests the name that was meant, on any number of workers."""
    done = conformance("run", "my_norm:Swaped", "-j", jobs, cwd=project)

    assert done.returncode == 2
    assert (done.stdout + done.stderr).strip().lower() == (
        "error: module 'my_norm' (./my_norm.py) has no attribute 'swaped'. did you mean 'swapped'?"
    )


@exhaustive
def test_fail_fast_stops_at_the_first_violation(project):
    """With -x the rest is reported as not reached, and the report says that it is incomplete."""
    done = conformance(
        "run",
        "my_norm:Swapped",
        "-v",
        "-k",
        "EMA",
        "-x",
        "-j1",
        "--max-examples",
        "10",
        cwd=project,
    )

    assert done.returncode == 1
    assert done.stdout.count("✗") == 1
    others = len(select(REQUIREMENTS, ["EMA"])) - 1
    incomplete = f"Incomplete: {others} requirements were not reached (BN-EMA-2[my_norm:Swapped]"
    assert incomplete in done.stdout


@exhaustive
def test_the_seed_decides_the_cases_and_the_workers_do_not(project):
    """One worker and two reach the same verdicts, down to the number of comparisons."""
    reports = []
    for jobs in ("1", "2"):
        name = f"{jobs}.json"
        conformance(
            "run", "my_norm:Swapped", "-k", "EMA-1,EMA-2,TRAIN-1,EVAL-1", "-j", jobs, "--seed", "7",
            "--max-examples", "20", "--report", name, cwd=project,
        )  # fmt: skip
        verdicts = Report.read(project / name).verdicts
        reports.append([v.to_json() | {"seconds": 0} for v in verdicts])

    assert reports[0] == reports[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "-k", "BN-EMQ-1"], "or BN-EMA-1 or"),
        (["run", "-j", "none"], "--jobs 'none': expected a number of processes"),
        (["run", "--seed", "-3"], "--seed -3: expected an integer of at least 0"),
        (["run", "--max-examples", "0"], "--max-examples 0: expected at least 1"),
        (["run", "--max-time", "0"], "--max-time 0.0: expected a number of seconds greater than 0"),
        (["run", "--profile", "slow"], "'slow' is not one of 'quick', 'default', 'thorough'"),
        (["run", "-k", "AFF", "--level", "should"], "has no requirement of level should"),
        (["explain", "BN-X"], "no requirement matches 'BN-X'"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
)
def test_unusable_commands_say_why(arguments, message):
    """A usage error names the value and the rule, and ends with 2."""
    done = CliRunner().invoke(main, arguments)

    assert done.exit_code == 2
    assert message in done.output


def test_list_shows_every_requirement():
    """The list has all ids, and no line is wider than a terminal."""
    done = CliRunner().invoke(main, ["list"])

    assert f"{len(select(REQUIREMENTS))} requirements, " in done.output
    assert max(map(len, done.output.splitlines())) <= 80


def test_explain_tells_what_why_and_how():
    """Statement, formula, reason, mistakes, and the source of the property."""
    done = CliRunner().invoke(main, ["explain", "EMA-1"])

    for part in (
        "rm' = m·rm + (1−m)·μ",
        "Why it matters",
        "Classical mistakes",
        "def running_mean",
    ):
        assert part in done.output


def test_implementations_are_listed_without_being_imported():
    """The registered names are shown with where they come from."""
    done = CliRunner().invoke(main, ["implementations"])

    assert "flax-default" in done.output
    assert "conformance.implementations" in done.output


def test_smoke_finds_swapped_names(tmp_path):
    """An adapter that reads the variance as the mean gets a message that names both."""
    (tmp_path / "swapped.py").write_text(
        "from flax import nnx\n"
        "from conformance import Implementation\n"
        "layer = Implementation.nnx(nnx.BatchNorm, features='num_features', eps='epsilon',\n"
        "    gamma='scale', beta='bias', running_mean='mean', running_var='mean')\n",
        encoding="utf-8",
    )
    done = conformance("smoke", "swapped:layer", cwd=tmp_path)

    assert done.returncode == 2
    assert "that is what was written as running_var: names are exchanged" in done.stdout
    sound = conformance("smoke", "flax", cwd=tmp_path)
    assert sound.returncode == 0
    assert "the adapter is sound" in sound.stdout


def test_the_likely_mistake_is_named(project: Path):
    """After the violations the run names the most likely mistake, and what to do."""
    target = project / "report.json"
    options = ("-v", "-j", "1", "-k", "EMA-1", "--report", str(target), "--max-examples", "5")
    done = conformance("run", "my_norm.py:Swapped", *options, cwd=project)

    assert "? my_norm.py:Swapped, most likely:" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    data = json.loads(target.read_text())
    jsonschema.validate(data, json.loads(SCHEMA.read_text()))
    assert data["diagnoses"]["my_norm.py:Swapped"]["kind"] == "alternative"


def test_no_diagnosis_on_request(project: Path):
    """``--no-diagnosis`` leaves it out; the violation is still reported."""
    options = ("-j", "1", "-k", "EMA-1", "--no-diagnosis", "--max-examples", "5")
    done = conformance("run", "my_norm.py:Swapped", *options, cwd=project)

    assert done.returncode == 1
    assert "most likely" not in done.stdout
