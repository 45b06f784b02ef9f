"""How an implementation without an adapter was read, in reports and on a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.example_reports import full_run, shards

from conformance.adapters.recognized import Recognition
from conformance.report.combining import combine
from conformance.report.model import Report
from conformance.report.text import explanation_lines, recognition_lines

RECOGNITION = Recognition(
    line='Implementation.nnx(Norm, features="num_features", gamma="scale", beta="bias", ndim=4)',
    reasons=("gamma is scale, by its name.", "It has no mean. " * 10),
    suggestions=('extra=("steps",)',),
)


def test_recognitions_are_json_values():
    """What is written is read again; anything else is refused."""
    data = RECOGNITION.to_json()
    assert Recognition.from_json(data) == RECOGNITION
    with pytest.raises(TypeError):
        Recognition.from_json({**data, "line": 3})


def test_lines_fit_a_terminal():
    """The line of Python is folded between arguments, and stays an expression."""
    lines = recognition_lines(RECOGNITION.to_json())
    assert max(map(len, lines)) <= 76
    assert " ".join(line.strip() for line in lines[:2]) == f"Recognized as {RECOGNITION.line}"
    assert lines[-1] == 'To declare, if it is meant: extra=("steps",)'
    assert explanation_lines(RECOGNITION.to_json())[0] == "gamma is scale, by its name."
    assert recognition_lines(None) == []


def test_recognitions_are_kept(tmp_path: Path):
    """A report has them, and a run in shards as well."""
    recognitions = {"impl": RECOGNITION.to_json() | {"reasons": [], "suggestions": []}}
    whole = replace(full_run(), recognitions=recognitions)
    whole.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json").recognitions == recognitions
    (name, first), *others = shards(2)
    parts = [(name, replace(first, recognitions=recognitions)), *others]
    assert combine(parts).recognitions == recognitions
    assert "recognitions" not in full_run().to_dict()
