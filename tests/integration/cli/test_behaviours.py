"""Behaviours are observed in worker processes, and shown by a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from support.sampling import exhaustive

from conformance.adapters.errors import AdapterError
from conformance.diagnosis.behaviours import BEHAVIOURS
from conformance.diagnosis.behaviours.observer import Observer
from conformance.frontends.cli import main

NAN_FLAG = "NaN and .3: evaluates"
"""What the reference does with such a flag."""


def test_what_ends_the_process_is_an_answer_and_breaks_no_other(tmp_path, monkeypatch):
    """A layer that dies on an empty batch answers everything else."""
    (tmp_path / "dies.py").write_text(
        "import os\nfrom impl.batchnorm import MyBatchNorm\n\n\n"
        "class Dies(MyBatchNorm):\n"
        "    def __call__(self, x, use_running_average):\n"
        "        if not len(x):\n"
        "            os.abort()\n"
        "        return super().__call__(x, use_running_average)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    names = ("no-rows", "nan-flag")
    died, flagged = Observer("dies.py:Dies").observations(names)
    assert died.observed
    assert "use_running_average=False ends it: the process was ended by SIGABRT" in died.answer
    assert flagged.answer == NAN_FLAG


@exhaustive
def test_what_does_not_return_is_an_answer(tmp_path, monkeypatch):
    """A call that hangs is ended after the limit."""
    (tmp_path / "hangs.py").write_text(
        "import time\nfrom impl.batchnorm import MyBatchNorm\n\n\n"
        "class Hangs(MyBatchNorm):\n"
        "    def __call__(self, x, use_running_average):\n"
        "        time.sleep(600)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    (hung,) = Observer("hangs.py:Hangs", limit=2).observations(["no-rows"])
    assert "no result within 2 s" in hung.answer


def test_what_cannot_be_resolved_is_an_error():
    """A name that stands for nothing ends with a sentence."""
    with pytest.raises(AdapterError, match="nowhere"):
        list(Observer("nowhere:layer").observations(["no-rows"]))
    result = CliRunner().invoke(main, ["behaviours", "nowhere:layer"])
    assert (result.exit_code, "Error:" in result.output) == (2, True)


def test_the_command_prints_a_table_and_writes_json(tmp_path):
    """80 columns are enough, and the document has every behaviour."""
    target = tmp_path / "observed.json"
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "behaviours", "impl", "--json", str(target)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "80"},
        encoding="utf-8",
    )
    assert max(map(len, done.stdout.splitlines())) <= 80
    data = json.loads(target.read_text("utf-8"))
    (made,) = data["implementations"]
    found = {each["behaviour"]: each["answer"] for each in made["observations"]}
    assert list(found) == list(data["behaviours"]) == list(BEHAVIOURS)
    assert found["nan-flag"] == NAN_FLAG
    assert all(name in done.stdout for name in BEHAVIOURS)
