"""Runs by an older edition: the same layer passes by one and fails by the other.

There is a copy of the suite with two invented editions. From the first to the second BN-INIT-1 is
raised to a MUST and reworded, BN-INIT-2 is dropped, and BN-INIT-3 is added.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.command_line import conformance as run_command
from support.projects import NORMS, read
from support.suite_copies import copy_suite, variables_of

from conformance.requirements.editions.edition import Edition, draft_edition

LAYERS = """
import numpy as np


def wrong(array, value):
    def build(config):
        layer = NumpyNorm(config)
        layer.arrays[array] = np.full_like(layer.arrays[array], value)
        return layer

    return Implementation(name=array, build=build)


from conformance.adapters.implementation import Implementation
from support.numpy_norm import NumpyNorm

raised, dropped, added = wrong("gamma", 2), wrong("beta", 1), wrong("running_mean", 1)
"""
OLD, NEW = ("--edition", "2020.1"), ("--edition", "2020.2")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the suite with two invented editions, and layers that violate a row each."""
    folder = copy_suite(tmp_path_factory.mktemp("copy"))
    editions = folder / "conformance/requirements/editions"
    for published in editions.glob("*.json"):
        published.unlink()
    rows = {identity: dict(row) for identity, row in draft_edition().rows.items()}
    old, new = dict(rows), dict(rows)
    old["BN-INIT-1"] = rows["BN-INIT-1"] | {"level": "should", "statement": "Old words."}
    del old["BN-INIT-3"], new["BN-INIT-2"]
    reasons = {"BN-INIT-1": "The paper says so.", "BN-INIT-2": "It was wrong."}
    for edition in (Edition("2020.1", old), Edition("2020.2", new, reasons)):
        (editions / f"{edition.name}.json").write_text(edition.to_text(), encoding="utf-8")
    table = folder / "conformance/requirements/initialization.py"
    text = table.read_text(encoding="utf-8")
    text = text.replace('id="BN-INIT-2",', 'id="BN-INIT-2",\n        until="2020.1",')
    table.write_text(text, encoding="utf-8")
    (folder / "layers.py").write_text(NORMS + LAYERS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def command(copy: Path) -> Callable[..., Any]:
    """The command line of the copy."""
    return partial(run_command, cwd=copy, **variables_of(copy))


@pytest.fixture(scope="module")
def judge(command: Callable[..., Any]) -> Callable[..., Any]:
    """``conformance run`` on layers of the copy, by few cases."""

    def run(*layers: str, options: tuple[str, ...] = (), select: str = "INIT-[123]") -> Any:
        names = [f"layers.py:{layer}" for layer in layers]
        few = ("-j1", "--max-examples=2", "--no-diagnosis", "-k", select)
        return command("run", *names, *few, *options)

    return run


@pytest.fixture(scope="module")
def old_and_new(judge: Callable[..., Any]) -> tuple[Any, Any]:
    """Two layers judged by the old edition and without an option, with a report each."""
    layers = ("raised", "added")
    old = judge(*layers, options=(*OLD, "--report", "old.json"))
    return old, judge(*layers, options=("--report", "new.json"))


def test_an_update_does_not_fail_a_layer_by_the_edition_that_it_passed(old_and_new, copy: Path):
    """By the old edition the raised row is a SHOULD and the added one is not judged."""
    old, new = old_and_new
    assert old.returncode == 0, old.stdout + old.stderr
    assert old.stdout.startswith("edition 2020.1 · default profile")
    assert "! layers.py:raised: fails 1 of 2 requirements (0 MUST)." in old.stdout
    assert "✓ layers.py:added: conforms to 2 of 2 requirements." in old.stdout
    assert "-k BN-INIT-1 --max-examples 2 --edition 2020.1" in " ".join(old.stdout.split())

    assert new.returncode == 1, new.stdout + new.stderr
    assert new.stdout.startswith("default profile")
    assert "✗ layers.py:raised: fails 1 of 2 requirements (1 MUST)." in new.stdout
    assert "✗ layers.py:added: fails 1 of 2 requirements (1 MUST)." in new.stdout

    before, after = read(copy / "old.json"), read(copy / "new.json")
    assert (before["header"]["edition"], after["header"]["edition"]) == ("2020.1", "2020.2")
    levels = {v["requirement"]: v["level"] for v in before["verdicts"]}
    assert levels == {"BN-INIT-1": "should", "BN-INIT-2": "must"}
    levels = {v["requirement"]: v["level"] for v in after["verdicts"]}
    assert levels == {"BN-INIT-1": "must", "BN-INIT-3": "must"}


@pytest.mark.usefixtures("old_and_new")
def test_reports_of_two_editions_are_told_apart(command, copy: Path):
    """A comparison says what the edition changed; renderings have the words of their edition."""
    changed = command("diff", "old.json", "new.json")
    assert changed.returncode == 1
    assert "  edition: 2020.1 → 2020.2\n" in changed.stdout
    assert "  BN-INIT-1[layers.py:raised]: violates, SHOULD → MUST\n" in changed.stdout
    dropped = "BN-INIT-2[layers.py:raised]: was conforms, not in edition 2020.2"
    assert f"  {dropped}\n" in changed.stdout
    assert "  BN-INIT-3[layers.py:added]: absent → violates\n" in changed.stdout
    assert "Vanished" not in changed.stdout

    rendered = command("report", "old.json", "--html", "old.html", "--format", "junit")
    assert "Old words." in rendered.stdout
    assert "Old words." in (copy / "old.html").read_text(encoding="utf-8")
    (violation,) = [v for v in read(copy / "old.json")["verdicts"] if v["violation"]]
    identity = violation["violation"]["id"]
    replayed = command("replay", identity, "--report", "old.json")
    assert replayed.returncode == 1
    assert "layers.py:raised · SHOULD · violates" in replayed.stdout


def test_a_row_that_was_dropped_is_judged_by_the_editions_that_have_it(judge):
    """By the new edition the layer conforms; asking for the row names the editions with it."""
    assert judge("dropped", options=OLD).returncode == 1
    assert judge("dropped").returncode == 0
    refused = judge("dropped", select="INIT-2")
    assert refused.returncode == 2
    assert "not all of it is in this edition. Choose one with it: 2020.1" in refused.stderr


def test_settings_and_pytest_choose_an_edition(judge, copy: Path):
    """``edition`` in the settings of a project, an option of pytest, ``conformance_tests``."""
    settings = copy / "conformance.toml"
    settings.write_text('edition = "2020.1"\n', encoding="utf-8")
    assert judge("raised", select="INIT-1").returncode == 0
    settings.unlink()
    lines = [
        "from conformance import conformance_tests",
        "few = dict(select_only='INIT-1', max_examples=2)",
        "test_old = conformance_tests('layers.py:raised', edition='2020.1', **few)",
        "test_new = conformance_tests('layers.py:raised', **few)",
    ]
    (copy / "test_layers.py").write_text("\n".join(lines), encoding="utf-8")
    plugin = ("--impl=layers.py:raised", "--conformance-select=INIT-1", "--max-examples=2")
    chosen = ("--pyargs", "conformance", "test_layers.py", *plugin, "--conformance-edition=2020.1")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen],
        cwd=copy,
        env=os.environ | variables_of(copy),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 2 xfailed" in done.stdout, done.stdout + done.stderr
    assert "FAILED test_layers.py::test_new[BN-INIT-1]" in done.stdout


def test_the_list_and_the_explanation_are_those_of_an_edition(command):
    """Text, level and rows are those of the edition; the history has every change."""
    old, new = (command("list", "-k", "INIT-[123]", *each).stdout for each in (OLD, NEW))
    assert "BN-INIT-1    SHOULD Old words." in old
    assert "2 requirements. Edition 2020.1." in old
    assert "BN-INIT-1    MUST" in new
    assert "BN-INIT-2" not in new
    text = command("explain", "BN-INIT-1").stdout
    assert "BN-INIT-1  (MUST)" in text
    assert "2020.1: added as SHOULD" in text
    raised = "2020.2: raised from SHOULD to MUST; statement reworded. The paper says so."
    assert raised in " ".join(text.split())
    assert "requirements/BN-INIT-1/" in text
    for each in ((), OLD):
        assert "2020.2: removed. It was wrong." in command("explain", "BN-INIT-2", *each).stdout
    assert (
        json.loads(command("list", "--json", "-k", "INIT-1", *OLD).stdout)[0]["level"] == "should"
    )


def test_an_unknown_edition_is_refused(judge, command):
    """The message names those that there are."""
    for done in (judge("added", options=("--edition", "1999.1")), command("list", "--edition=x")):
        assert done.returncode == 2
        assert "There are: 2020.1, 2020.2, draft" in " ".join(done.stderr.split())
