"""A run names its device, judges on several, and lists what differs."""

from __future__ import annotations

import json

import pytest
from support.command_line import conformance
from support.sampling import exhaustive

from conformance.report.model import Report
from conformance.report.place_differences import by_device, comparison_lines
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome, Verdict

WRONG_ON_ONE = """
import jax
import jax.numpy as jnp
from impl.batchnorm import MyBatchNorm


class Norm(MyBatchNorm):
    def __call__(self, x, use_running_average):
        y = super().__call__(x, use_running_average)
        if isinstance(y, jax.core.Tracer):
            return y
        return y * 1.5 if any(device.id == 1 for device in y.devices()) else y
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "norm.py").write_text(WRONG_ON_ONE, encoding="utf-8")
    return tmp_path


def run(place, *arguments: str, **variables: str):
    command = ("run", "norm.py:Norm", "--profile", "quick", "--no-diagnosis", "-j", "1")
    return conformance(*command, "--report", "report.json", *arguments, cwd=place, **variables)


def test_what_differs_between_devices_is_listed(place):
    """A layer that is wrong on one of two CPU devices is found there, and the two are compared."""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = run(place, "-k", "TRAIN-1,STATE-1", "--devices", "cpu:0,cpu:1", **flags)
    data = json.loads((place / "report.json").read_text("utf-8"))

    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0].endswith("· 1 worker · cpu:0 · cpu:1")
    assert "✓ norm.py:Norm@cpu:0: conforms to 2 of 2" in done.stdout
    assert "✗ norm.py:Norm@cpu:1: fails 1 of 2" in done.stdout
    assert "norm.py:Norm on cpu:0 and cpu:1: 1 of 2 requirements end alike." in done.stdout
    assert "  BN-TRAIN-1  conforms  violates\n" in done.stdout
    assert data["devices"] == {"norm.py:Norm@cpu:0": "cpu:0", "norm.py:Norm@cpu:1": "cpu:1"}
    outcomes = {"cpu:0": "conforms", "cpu:1": "violates"}
    assert data["device_differences"] == {"norm.py:Norm": {"BN-TRAIN-1": outcomes}}
    assert Report.read(place / "report.json").to_dict() == data


@exhaustive
def test_a_violation_is_replayed_on_its_device(place):
    """The name of the implementation says on which one; another name is another device."""
    run(place, "-k", "TRAIN-1", "--devices", "cpu:1")
    (verdict,) = json.loads((place / "report.json").read_text("utf-8"))["verdicts"]
    again = ("replay", verdict["violation"]["id"], "--report", "report.json")

    assert verdict["implementation"] == "norm.py:Norm@cpu:1"
    assert conformance(*again, cwd=place).returncode == 1
    assert conformance(*again, "--impl", "norm.py:Norm@cpu:0", cwd=place).returncode == 0


@exhaustive
def test_the_default_device_is_named(place):
    """Without the option there is nothing to compare."""
    done = run(place, "-k", "INIT-1")
    data = json.loads((place / "report.json").read_text("utf-8"))

    assert done.returncode == 0
    assert done.stdout.splitlines()[0].endswith("· 1 worker · cpu")
    assert data["devices"] == {"norm.py:Norm": "cpu"}
    assert "device_differences" not in data
    assert "end alike" not in done.stdout


def test_a_device_that_is_not_there(place):
    """Exit code 2, and the names of those that are."""
    done = run(place, "--devices", "cpu,tpu", JAX_NUM_CPU_DEVICES="2")

    assert done.returncode == 2
    assert "--devices cpu,tpu: there is no device 'tpu'; JAX has cpu:0, cpu:1\n" in done.stderr


def test_devices_side_by_side():
    """Devices have their own names, and one not reaching a requirement is no difference."""
    ends = {"cpu": Outcome.CONFORMS, "gpu": Outcome.VACUOUS}
    verdicts = [
        Verdict(
            requirement=row,
            implementation=f"impl@{device}",
            kind="",
            outcome=end,
            level=REQUIREMENTS[row].level,
            worst=0.25,
        )
        for row in ("BN-EMA-1", "BN-EMA-2")
        for device, end in ends.items()
    ][:-1]

    titles = {"impl@cpu": "cpu", "impl@gpu": "NVIDIA H200"}
    assert comparison_lines(verdicts, titles, by_device) == [
        "impl on cpu and gpu (NVIDIA H200): 1 of 2 requirements end alike.",
        "            cpu       gpu",
        "  BN-EMA-1  conforms  vacuous",
        "  Worst error ÷ bound: 0.25 on cpu.",
    ]
    assert comparison_lines(verdicts[:1], {}, by_device) == []
