"""Programs in other languages are judged by the protocol, under the limits of any layer."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from support.command_line import conformance
from support.sampling import exhaustive

from conformance.adapters.protocols import PROTOCOL_SCHEMA

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "batch_norm.mjs"
NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

ECHO = """
import json, os, sys, time
for line in sys.stdin:
    request = json.loads(line)
    kind, answer = request["request"], {{"id": request["id"]}}
    if kind == "describe":
        answer |= {{"protocol": 1}}
    elif kind != "create":
        {body}
    print(json.dumps(answer), flush=True)
"""


def run(folder: Path, program: str, *arguments: str):
    command = ("run", f"command:{program}", "--profile", "quick", "--no-diagnosis", "-j", "1")
    return conformance(*command, "--report", "report.json", *arguments, cwd=folder)


def run_python(folder: Path, body: str, *arguments: str):
    """Judge a program whose answers but the first two are made by a statement."""
    (folder / "norm.py").write_text(ECHO.format(body=body), encoding="utf-8")
    return run(folder, f"{sys.executable} norm.py", "-k", "INIT-1", *arguments)


def test_a_deviation_of_an_earlier_version_names_its_replacement(tmp_path):
    """A program declares what Python calls, as text."""
    program = ECHO.replace('"protocol": 1', '"protocol": 1, "deviations": ["OUTPUT_IN_FLOAT64"]')
    (tmp_path / "norm.py").write_text(program.format(body="pass"), encoding="utf-8")
    done = run(tmp_path, f"{sys.executable} norm.py", "-k", "INIT-1")
    assert done.returncode == 2
    message = " ".join(done.stderr.split())
    assert 'OUTPUT_IN_FLOAT64 is now output_in("float64")' in message


@NODE
@exhaustive
def test_the_example_conforms(tmp_path):
    """What is documented as an example is judged, gradients included."""
    shutil.copy(EXAMPLE, tmp_path)
    done = run(tmp_path, "node batch_norm.mjs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "command:node batch_norm.mjs: conforms to 60 of 60" in done.stdout
    assert "60 of 90 judged: no transforms or serialisation, because it is a command" in (
        " ".join(done.stdout.split())
    )


@NODE
@pytest.mark.parametrize(
    ("right", "wrong", "requirement"),
    [
        ("/ Math.sqrt(variance[d] + layer.eps)", "/ (Math.sqrt(variance[d]) + layer.eps)", "EPS-1"),
        pytest.param(
            "m * old + (1 - m) * mean[d]", "(1 - m) * old + m * mean[d]", "EMA-1", marks=exhaustive
        ),
        pytest.param("beta[d] + z[i] * gamma[d]", "beta[d]", "GRAD-3", marks=exhaustive),
    ],
)
def test_a_mistake_in_another_language_is_found(tmp_path, right, wrong, requirement):
    """Calls, state and gradients are all judged."""
    text = EXAMPLE.read_text("utf-8")
    assert right in text
    (tmp_path / "norm.mjs").write_text(text.replace(right, wrong), encoding="utf-8")
    done = run(tmp_path, "node norm.mjs", "-k", f"{requirement},INIT-1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"BN-{requirement}" in done.stdout
    data = json.loads((tmp_path / "report.json").read_text("utf-8"))
    (identity,) = (v["violation"]["id"] for v in data["verdicts"] if v["violation"])
    again = ("replay", identity, "--report", "report.json")
    assert conformance(*again, cwd=tmp_path).returncode == 1
    script = conformance(*again, "--script", "script.py", cwd=tmp_path)
    assert "what is judged cannot be imported by a name" in " ".join(script.stderr.split())
    assert "fails 1 of 2" in done.stdout


@NODE
def test_what_is_not_offered_is_not_judged(tmp_path):
    """Without gradients their requirements are unsupported, not violated."""
    text = EXAMPLE.read_text("utf-8").replace('offers: ["gradients"]', "offers: []")
    (tmp_path / "norm.mjs").write_text(text, encoding="utf-8")
    done = run(tmp_path, "node norm.mjs", "-k", "GRAD-2,TRAIN-1")
    assert "conforms to 1 of 1" in done.stdout, done.stderr
    assert "no gradients, because it is a command" in " ".join(done.stdout.split())


@NODE
def test_the_example_and_the_suite_follow_the_schema():
    """Requests as they are documented get answers as they are documented."""
    schema = json.loads(PROTOCOL_SCHEMA.read_text("utf-8"))
    data = base64.b64encode(np.arange(6, dtype="<f4").tobytes()).decode()
    x = {"dtype": "float32", "shape": [3, 2], "data": data}
    config = {"features": 2, "momentum": 0.9, "eps": 1e-5, "seed": 0}
    ones = base64.b64encode(np.ones(2, "<f4").tobytes()).decode()
    state = {"gamma": {"dtype": "float32", "shape": [2], "data": ones}}
    call = {"layer": 7, "x": x, "use_running_average": False}
    requests = [
        {"request": "describe", "protocol": 1},
        {"request": "create", "layer": 7, **config},
        {"request": "call", **call},
        {"request": "write", "layer": 7, "arrays": state},
        {"request": "read", "layer": 7},
        {"request": "gradients", **call, "cotangents": {"y": x}},
        {"request": "call", **call | {"x": x | {"shape": [2, 3]}}},
        {"request": "forget", "layers": [7]},
    ]
    numbered = [{"id": str(number), **each} for number, each in enumerate(requests)]
    lines = "".join(f"{json.dumps(each)}\n" for each in numbered)
    done = subprocess.run(
        ["node", EXAMPLE], input=lines, capture_output=True, text=True, check=True
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]

    for message in (*numbered, *answers):
        jsonschema.validate(message, schema)
    assert [answer["id"] for answer in answers] == [each["id"] for each in numbered]
    assert answers[6]["error"] == "expected (N, 2), got (2, 3)"
    assert answers[4].keys() == {"id", "gamma", "beta", "running_mean", "running_var"}
    assert conformance("schema", "--protocol", cwd=Path()).stdout == PROTOCOL_SCHEMA.read_text(
        "utf-8"
    )


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("", "expected a command"),
        ("nowhere-to-be-found", "the command 'nowhere-to-be-found' cannot be started"),
        ("echo 'unclosed", "No closing quotation"),
        ("echo hello", "'hello', which is not JSON: write logs to standard error"),
        ("true", "ended with exit code 0"),
        ("sh -c 'echo sorry >&2; exit 3'", "ended with exit code 3: sorry"),
        ("echo '{\"id\": 1}'", "does not repeat the id of the request"),
    ],
)
def test_what_is_no_such_program_is_an_error(tmp_path, program, message):
    """It ends with exit code 2 and one sentence."""
    done = run(tmp_path, program)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


@exhaustive
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("time.sleep(60)", "no result within 1 s"),
        ("os.abort()", "was ended by SIGABRT"),
        ("answer['error'] = 'out of order'", "CommandRefused: out of order"),
        ("answer['id'] = 'another'", "does not repeat the id"),
        ("answer['gamma'] = {'dtype': 'O', 'shape': [], 'data': ''}", "'O' is none of bool"),
        ("answer['gamma'] = {'dtype': 'float32', 'shape': [3], 'data': 'AAAA'}", "is not an array"),
        ("answer['gamma'] = {'dtype': 'float32', 'shape': [0]}", "has no 'data' in 'gamma'"),
    ],
)
def test_what_a_program_does_later_is_judged(tmp_path, body, message):
    """It hangs, ends, refuses, or answers with no array: a violation that says so."""
    done = run_python(tmp_path, body, "--call-timeout", "1")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode in {1, 2}, said
    assert message in said


def test_the_memory_of_a_program_is_limited(tmp_path):
    """It counts with that of the process that starts it."""
    body = "kept = bytearray(3 << 30); kept[::4096] = bytes(len(kept[::4096])); time.sleep(60)"
    done = run_python(tmp_path, body, "--memory-limit", "2")
    assert "took more than 2 GiB of memory" in " ".join((done.stdout + done.stderr).split())
