"""Layers with some methods of their own, whose lines are looked for."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from support.lines import BASE, Find

from conformance.adapters.resolve import resolve
from conformance.diagnosis.diagnosis import investigate
from conformance.diagnosis.explanation import find_lines
from conformance.diagnosis.lines.line import Line
from conformance.properties.support.subject import Subject


@pytest.fixture
def find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Find:
    """Return a function that finds the lines of a class with some methods."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def find_in(*methods: str, name: str, before: str = "") -> list[Line | None]:
        body = "\n".join(textwrap.indent(textwrap.dedent(each), "    ") for each in methods)
        Path(f"{name}.py").write_text(
            f"{BASE}\n{before}\n\nclass Norm(Base):\n{body}", encoding="utf-8"
        )
        subject = Subject(resolve(f"{name}.py:Norm"))
        return find_lines(subject, investigate(subject))

    return find_in
