"""``conformance run --grade``: a document whatever a submission does, and the guide's grader."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.command_line import conformance as run_command
from support.forgeries import SUBMISSIONS, all_submissions
from support.forgeries.runs import judge
from support.hostile_runs import conformance
from support.sampling import exhaustive
from support.written_modules import SEED_SHAPED

from conformance.report.grade import SCHEMA

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/grading.md").read_text("utf-8")
HINTS, GRADER = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
FORGERIES = {found.id: found for found in all_submissions()}

RIGHT = SEED_SHAPED.replace("class Norm", "class BatchNorm")
WRONG = RIGHT.replace(
    "m * self.running_mean[...] + (1 - m) * mean", "(1 - m) * self.running_mean[...] + m * mean"
)
BROKEN = "raise RuntimeError('x = [[0.1234567]]')\n"
FORGED = {"passed": True, "score": 1.0, "judged": 100, "reason": ""}
KILLER = f"""
import json, os, signal
from pathlib import Path
Path("grades/killer.json").write_text(json.dumps({{"exit_code": 0, "grades": [{FORGED}]}}))
process = os.getppid()
while b"--grade" not in Path(f"/proc/{{process}}/cmdline").read_bytes():
    process = int(Path(f"/proc/{{process}}/stat").read_text().rpartition(")")[2].split()[1])
os.kill(process, signal.SIGKILL)
"""


def read(path: Path) -> dict[str, Any]:
    """Return a grade after checking it against its schema."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    jsonschema.validate(found, json.loads(SCHEMA.read_text("utf-8")))
    return found


def grade(
    name: str, folder: Path, *options: str, by: str = "EVAL-1,EMA-1"
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Judge one implementation by few requirements: the document, its only grade, what is said."""
    done = conformance(
        "run", name, "-j1", "--max-examples=3", f"-k{by}", "--grade=grade.json",
        "--call-timeout=4", "--memory-limit=2", *options, cwd=folder,
    )  # fmt: skip
    document = read(folder / "grade.json")
    (found,) = document["grades"]
    assert document["exit_code"] == done.returncode
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) <= 15
    return document, found, done.stdout


def test_a_right_layer_passes(tmp_path):
    """It is said in a line, with time and memory; nothing but the document is written."""
    document, found, said = grade("impl", tmp_path)
    assert found["passed"]
    assert (found["outcome"], found["score"], found["judged"]) == ("passed", 1.0, 2)
    assert found["cause"] is None
    assert said.startswith("✓ impl: passed, score 100 %\n")
    (used,) = document["usage"]["implementations"]
    assert used["seconds"] > 0
    assert sys.platform != "linux" or used["peak_memory"] > 1 << 26
    assert [path.name for path in tmp_path.iterdir()] == ["grade.json"]


@exhaustive
def test_a_wrong_layer_fails_with_hints_and_always_the_same(tmp_path):
    """Two runs, with another number of workers, differ in time and memory only."""
    (tmp_path / "norm.py").write_text(WRONG, encoding="utf-8")
    document, found, said = grade("norm.py:BatchNorm", tmp_path, "--hide-inputs")
    assert (found["outcome"], found["score"]) == ("failed", 0.5)
    what, where, how = (hint["text"] for hint in found["cause"]["hints"])
    assert what.startswith("BN-EMA-1 (MUST) is not met: ")
    assert f"Hint: {what}" in " ".join(said.split())
    assert "running mean" in where
    assert how

    again, *_ = grade("norm.py:BatchNorm", tmp_path, "--hide-inputs", "-j2")
    assert document.pop("usage")["implementations"][0].keys() == {
        "implementation",
        "seconds",
        "peak_memory",
    }
    del again["usage"]
    assert document == again


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_layer_that_cannot_be_imported_is_graded(jobs, tmp_path):
    """The reason is in the document, whoever in the run found it; unless it is hidden."""
    (tmp_path / "norm.py").write_text(BROKEN, encoding="utf-8")
    document, found, _ = grade("norm.py:BatchNorm", tmp_path, f"-j{jobs}")
    assert (document["exit_code"], found["outcome"], found["score"]) == (2, "unusable", 0.0)
    assert "RuntimeError: x = [[0.1234567]]" in found["reason"]

    _, found, _ = grade("norm.py:BatchNorm", tmp_path, f"-j{jobs}", "--hide-inputs")
    assert "0.1234567" not in json.dumps(found)


@pytest.mark.parametrize(
    ("name", "outcome", "words"),
    [
        pytest.param("hanging:in_c", "failed", "no result within 4 s", marks=exhaustive),
        ("dying:segfault", "failed", "SIGSEGV"),
        pytest.param("hoarding:growing", "failed", "GiB of memory", marks=exhaustive),
        pytest.param("import_dies:layer", "unusable", "exit code 7", marks=exhaustive),
        pytest.param("import_hangs:layer", "unusable", "no result", marks=exhaustive),
    ],
)
def test_what_hangs_crashes_or_takes_all_memory_is_graded(name, outcome, words, tmp_path):
    """It is not passed, and the document says why."""
    _, found, _ = grade(f"support.hostile.{name}", tmp_path, by="EVAL-1")
    assert not found["passed"]
    assert found["outcome"] == outcome
    assert words in json.dumps(found)


@pytest.mark.parametrize(
    "name",
    [
        "suite:the_run",
        "files:reports",
        "processes:kills_the_judge",
        pytest.param("executor:another_number", marks=exhaustive),
        pytest.param("raising:adapter_error", marks=exhaustive),
        pytest.param("channel:conforms_on_standard_output", marks=exhaustive),
        pytest.param("declarations:all_deviations_at_once", marks=exhaustive),
        pytest.param("processes:ends_the_judge_politely", marks=exhaustive),
    ],
)
def test_a_forgery_is_not_passed(name, tmp_path):
    """Whatever it does to who judges it, and to the files in its folder."""
    found = FORGERIES[name]
    assert found.name in SUBMISSIONS
    run = judge(replace(found, options=(*found.options, "--grade=grade.json")), tmp_path)
    document = read(tmp_path / "grade.json")
    assert [row["passed"] for row in document["grades"]] == [False], run.said
    assert run.code != 0


def test_a_run_that_is_killed_leaves_a_grade(tmp_path):
    """It says that the run has not ended; so does SIGTERM, with its exit code."""
    (tmp_path / "norm.py").write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    command = [sys.executable, "-m", "conformance", "run", "norm.py:BatchNorm", "-j1"]
    for number, code in ((signal.SIGTERM, 143), (signal.SIGKILL, None)):
        target = tmp_path / f"{number}.json"
        process = subprocess.Popen(
            [*command, f"--grade={target}"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            while not target.exists() and process.poll() is None:
                time.sleep(0.05)
            assert read(target)["exit_code"] is None
            process.send_signal(number)
            process.communicate(timeout=30)
        finally:
            process.kill()
        document = read(target)
        assert document["exit_code"] == code
        assert [row["outcome"] for row in document["grades"]] == ["incomplete"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--hide-inputs",), "--hide-inputs is for --grade alone"),
        (("--grade=g.json", "-v"), "--grade and --verbose exclude each other"),
        (("--grade=g.json", "--shard=1/2"), "--grade and --shard exclude each other"),
        (("--grade=g.json", "--report=g.json"), "both write g.json"),
    ],
)
def test_a_wrong_command_leaves_no_grade(options, words, tmp_path):
    """Exit code 2 without a document is a mistake of who grades."""
    done = run_command("run", "impl", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert words in " ".join((done.stdout + done.stderr).split())
    assert not (tmp_path / "g.json").is_file()


@exhaustive
def test_the_grader_of_the_guide(tmp_path):
    """It passes the right layer alone, also if a submission writes a grade and kills the run."""
    (tmp_path / "submissions").mkdir()
    (tmp_path / "grades").mkdir()
    (tmp_path / "grader.py").write_text(GRADER, encoding="utf-8")
    sources = {"broken": BROKEN, "killer": KILLER, "right": RIGHT, "wrong": WRONG}
    for name, text in sources.items():
        (tmp_path / "submissions" / f"{name}.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "grader.py", "submissions", "grades", "--profile=quick", "-kEMA-1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.findall(r"^(\w+) (passed|failed) ([\d.]+) ", done.stdout, re.MULTILINE) == [
        ("broken", "failed", "0.0"),
        ("killer", "failed", "0.0"),
        ("right", "passed", "1.0"),
        ("wrong", "failed", "0.0"),
    ]
    forged = json.loads((tmp_path / "grades/killer.json").read_text("utf-8"))
    assert forged["grades"] == [FORGED]  # it is there, and the grader does not believe it

    shown: dict[str, Any] = {}
    exec(HINTS, shown)
    wrong = tmp_path / "grades/wrong.json"
    hints = [shown["next_hint"](wrong, attempt) for attempt in (1, 2, 3, 9)]
    assert len(set(hints[:3])) == 3
    assert hints[2] == hints[3]
