"""Recorded tensors: a layer is judged on a file instead of generated cases."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from support.command_line import conformance
from support.written_modules import SEED_SHAPED

from conformance.adapters.protocols import Config
from conformance.engine.recorded import JUDGED, RecordedError, read_recorded
from conformance.frontends.cli import main
from conformance.numerics.state import State
from conformance.properties import PROPERTIES
from conformance.strategies.codec import decode

F = np.float32
LATE = SEED_SHAPED.replace("x.var(0)", "x.var(0) * (1 + 0.1 * (x > 1e4).any(0))")
"""A layer whose variance is wrong where a batch has a number beyond 10,000."""


def saved(path, **arrays):
    np.savez(path / "batch.npz", **arrays)
    return path / "batch.npz"


def batch() -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((64, 5)).astype(F)
    x[37, 2] = 3e4
    return x


def test_a_correct_layer_conforms_on_recorded_tensors(tmp_path):
    file = saved(tmp_path, x=batch(), gamma=np.full(5, 2, F), momentum=0.99, eps=1e-3)
    done = conformance("run", "impl", "--data", str(file), "-j1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"conforms to {len(JUDGED)} of {len(JUDGED)} requirements" in done.stdout
    assert "64 × 5 numbers, momentum 0.99, eps 0.001; generated cases are left out" in done.stderr


def test_a_violation_is_shown_on_the_feature_and_few_rows(tmp_path):
    """Only one number shows it: of five features and 64 rows, one and two are left."""
    assert LATE != SEED_SHAPED
    (tmp_path / "my_norm.py").write_text(LATE, encoding="utf-8")
    file, report = saved(tmp_path, x=batch()), tmp_path / "report.json"
    command = ("run", "my_norm.py:Norm", "--data", str(file), "-k", "TRAIN", "--no-diagnosis")
    done = conformance(*command, "--report", str(report), "-j1", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    (verdict,) = json.loads(report.read_text("utf-8"))["verdicts"]
    x = np.array(verdict["violation"]["inputs"]["x"])
    assert x.shape == (2, 1)
    assert 3e4 in x


@pytest.mark.parametrize("requirement", JUDGED)
def test_recorded_cases_are_what_properties_take(requirement: str, tmp_path):
    """The encoded arguments have the names of the strategies, and nothing is lost."""
    recorded = read_recorded(saved(tmp_path, x=batch()))
    drawn = {name: decode(value) for name, value in recorded.values(requirement).items()}
    assert sorted(drawn) == sorted(PROPERTIES[requirement].strategies)
    case = drawn["case"] if "case" in drawn else drawn["drawn"].case
    np.testing.assert_array_equal(case.x, batch())


def test_absent_arrays_are_those_of_a_fresh_layer(tmp_path):
    case = read_recorded(saved(tmp_path, x=batch(), beta=np.arange(5.0))).case
    assert case.config == Config(features=5)
    expected = State.fresh(5).replace(beta=np.arange(5, dtype=F))
    for name, array in case.state.arrays().items():
        np.testing.assert_array_equal(array, getattr(expected, name))


def test_images_are_rows_of_features(tmp_path):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(F)
    recorded = read_recorded(saved(tmp_path, x=x, axis=1, cotangent=x))
    np.testing.assert_array_equal(recorded.case.x, np.moveaxis(x, 1, -1).reshape(-1, 3))
    np.testing.assert_array_equal(recorded.w, recorded.case.x)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "has no array 'x'; known are x, gamma"),
        ({"x": batch(), "scale": 1}, "has the unknown array 'scale'"),
        ({"x": batch(), "gamma": np.ones(4)}, r"gamma has shape \(4,\): expected \(5,\)"),
        ({"x": batch().astype(float) / 3}, r"x\[0, 0\] = .* is not a float32 number"),
        ({"x": batch() * np.nan}, "is not finite"),
        ({"x": batch(), "momentum": 2}, "momentum=2.0: expected the weight of the old value"),
        ({"x": batch(), "eps": np.ones(2)}, r"eps = \[1.0, 1.0\]: expected one number"),
        ({"x": batch(), "running_var": -np.ones(5)}, "a variance is not negative"),
        ({"x": np.array([["a"]])}, "expected numbers"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(arrays, message: str, tmp_path):
    with pytest.raises(RecordedError, match=message):
        read_recorded(saved(tmp_path, **arrays))


def test_unusable_options_end_with_two(tmp_path):
    """A file that does not exist or has another format, and requirements about other cases."""
    file = saved(tmp_path, x=batch())
    (tmp_path / "text.npz").write_text("no archive", encoding="utf-8")
    for options, message in (
        (("--data", str(tmp_path / "missing.npz")), "No such file"),
        (("--data", str(tmp_path / "text.npz")), "it has another format"),
        (("--data", str(file), "-k", "SER"), "recorded tensors are judged by BN-TRAIN-1"),
        (("--data", str(file), "--shard", "1/2"), "--data and --shard exclude each other"),
    ):
        done = CliRunner().invoke(main, ["run", "impl", *options])
        assert (done.exit_code, message in done.output) == (2, True), done.output
