"""The stored evidence covers what there is, says where it was measured, and fills the pages."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from conformance.report.kill_matrix import KillMatrix, Row
from conformance.requirements import REQUIREMENTS
from impl.faulty import FAULTS

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tools" / "docs"))

import evidence  # noqa: E402
import matrix  # noqa: E402
from steps import STEPS, Step, table  # noqa: E402

MATRIX = KillMatrix.read(ROOT / "benchmarks" / "results" / "kill-matrix.json")
MEASURED = json.loads((ROOT / "docs" / "figures.json").read_text("utf-8"))["measured"]
AGAIN = "; run `python tools/docs/matrix.py --missing`"

_HIDDEN = re.compile(r"<!--[a-z][\w.]*-->.*?<!--/-->|```.*?```|`[^`]*`", re.DOTALL)
_FIGURE = re.compile(r"(?<![\w.-])\d[\d.,]* (?:s|ms|µs|KiB|MiB|MB|minutes|hours|operations)\b")


def test_every_fault_has_a_row_of_the_kill_matrix():
    """Each was judged on what its record lists today, and violates all of it."""
    wrong = {
        name
        for name, fault in FAULTS.items()
        if name not in MATRIX.rows or not {*fault.breaks} <= {*MATRIX.rows[name].violates}
    }
    assert not wrong, f"no valid row: {', '.join(sorted(wrong))}{AGAIN}"
    assert MATRIX.rows.keys() == FAULTS.keys(), f"rows of faults that are gone{AGAIN}"


def test_every_requirement_is_violated_by_a_fault_of_the_kill_matrix():
    """No requirement is without evidence that it can fail."""
    assert not MATRIX.unproved, f"no fault violates {', '.join(MATRIX.unproved)}{AGAIN}"
    assert {row for each in MATRIX.rows.values() for row in each.judged} <= REQUIREMENTS.keys()


def test_every_row_says_on_which_commit_it_was_measured():
    """The listed requirements and the others may be of different days."""
    for name, row in MATRIX.rows.items():
        assert "listed" in row.stamp, name
        assert "others" in row.stamp or {*row.judged} <= {*row.breaks}, name


def test_a_fault_without_a_valid_row_is_missing():
    """One that has none, or that did not violate what its record lists."""
    rows = dict(MATRIX.rows)
    del rows["eps-outside"]
    rows["gamma-unused"] = Row("affine", "", "", ["BN-AFF-1"], ["BN-AFF-1"])
    assert matrix.missing(KillMatrix(rows)) == ["gamma-unused", "eps-outside"]
    assert matrix.out_of_date(KillMatrix(rows), listed=True)[0] == "eps-outside"


def test_judging_what_is_listed_keeps_the_other_verdicts():
    """They stay, with their commit; the listed ones are replaced."""
    stamp = {"listed": "a", "listed digest": "b", "others": "c", "digest": "d"}
    judged = ["BN-AFF-1", "BN-EMA-1", "BN-GONE-1"]
    old = Row("affine", "", "", [], judged, {"BN-AFF-1": 9, "BN-EMA-1": 8}, {}, stamp)
    new = Row("affine", "", "", [], ["BN-AFF-1"], {"BN-AFF-1": 2})

    row = matrix.merged(old, new, "gamma-unused", listed=True)
    assert (row.judged, row.violates) == (judged[:2], {"BN-AFF-1": 2, "BN-EMA-1": 8})
    assert row.stamp["others"] == "c"
    assert row.stamp["listed digest"] == matrix.digest_of("gamma-unused")
    assert matrix.merged(old, new, "gamma-unused", listed=False).stamp["others"] != "c"


def test_every_measured_figure_says_where_it_comes_from():
    """Each has a commit, a date and a command; what steps keep is what they say."""
    for name, entry in MEASURED.items():
        if name != "evidence":
            assert {"commit", "date", "command"} <= entry.keys(), name
    assert evidence.entries(MEASURED) == MEASURED


@pytest.mark.parametrize("page", ["evidence.md", "performance.md"])
def test_no_measurement_is_typed_into_a_page(page):
    """Numbers with a unit stand between markers, so that they come from data."""
    text = _HIDDEN.sub("", (ROOT / "docs" / page).read_text("utf-8"))
    sentences = [each for each in re.split(r"[.:]\s", text) if "target" not in each]
    assert [each for each in sentences if _FIGURE.search(each)] == []


def test_a_table_is_found_in_what_a_command_prints():
    """The first line is its head; the line below the head is left out."""
    text = "4 cores\n| a | b |\n|---|---|\n| x y | 1 |\n| z |  |\n\n| other |"
    assert table(text) == [["a", "b"], ["x y", "1"], ["z", ""]]


PRINTED = {
    "fail_fast": (
        "29 faults on 2 cores\n"
        "first violation printed: median 3.3 s, nine in ten ≤ 14.8 s\n"
        "process ended: median 3.7 s, nine in ten ≤ 15.0 s",
        {"faults": 29, "first_median_s": 3.3, "first_p90_s": 14.8, "end_median_s": 3.7},
    ),
    "modelled_faults": (
        "$ conformance faults\n5 of 5 faults are caught\n527 pairs judged in 5 s.\n"
        "missed: a\n$ conformance faults --max-examples 20\nmissed: b\nmissed: c\n",
        {"pairs": 527, "seconds": 5, "missed_quick": 2, "seeds": "0, 1 and 2"},
    ),
    "side_by_side": (
        "| | wall s | CPU s | MB | cases/s |\n|---|---|---|---|---|\n"
        "| this suite, what naive judges | 1 | 2 | 3 | 176 |\n"
        "| naive, unrestricted shapes | 1 | 2 | 3 | 22 |\n| flax's own tests | 1 | 2 | 3 | – |",
        {"factor": 8},
    ),
    "correct_layers": (
        "523 layers, 12,626 cases, 9 comparisons\n\n| quantity | ratio | of |\n|---|---|---|\n"
        "| gradient of x | 0.16 | a |\n| running_mean | 0.2 | b |\n| running_var | 0.27 | b |\n"
        "| y in training | 0.31 | c |",
        {"layers": 523, "cases": 12626, "output": 0.31, "statistics": 0.27, "gradients": 0.16},
    ),
    "false_positives": (
        "39 implementations, 200 to 200 seeds each,\n58,396 cases, 27,985,832 numbers compared\n"
        "\n| quantity | ratio |\n|---|---|\n| y | 0.31 |\n| running_var | 0.38 |",
        {"variants": 39, "seeds": 200, "cases": 58396, "comparisons": 27985832, "worst": 0.38},
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_figures_are_found_in_what_benchmarks_print(name):
    """The wording of a benchmark and the patterns of its step belong together."""
    text, expected = PRINTED[name]
    figures = STEPS[name].figures
    assert {key: evidence.figure(figures[key], text) for key in expected} == expected


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A repository with one step, which counts how often it ran."""
    (tmp_path / "source.py").write_text("1", encoding="utf-8")
    (tmp_path / "stamps.json").write_text("{}", encoding="utf-8")
    command = "echo ran >> {work}/log; echo '7 layers'"
    step = Step("counts", (command,), ("*.py",), {"layers": r"(\d+) layers"})
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    monkeypatch.setattr(evidence, "DATA", tmp_path)
    monkeypatch.setattr(evidence, "STAMPS", tmp_path / "stamps.json")
    monkeypatch.setattr(evidence, "STEPS", {"toy": step})
    return tmp_path


def run(folder: Path, *arguments: str) -> int:
    """Run the steps that are out of date; return how often any ran so far."""
    evidence.update(["toy"], folder, again="--again" in arguments)
    log = folder / "log"
    return len(log.read_text("utf-8").splitlines()) if log.exists() else 0


def test_a_step_runs_when_its_sources_changed(toy):
    """Otherwise it is skipped, unless it is asked for again."""
    assert [run(toy), run(toy), run(toy, "--again")] == [1, 1, 2]
    (toy / "source.py").write_text("2", encoding="utf-8")
    assert [run(toy), run(toy)] == [3, 3]


def test_a_figure_is_read_from_what_its_step_printed(toy):
    """It comes with the stamp of the step."""
    run(toy)
    entry = evidence.entries({})["toy"]
    assert entry["layers"] == 7
    assert {"commit", "date", "machine", "command"} <= entry.keys()


def test_a_step_that_fails_keeps_nothing(toy, monkeypatch):
    """Its old output stays, and it counts as out of date."""
    monkeypatch.setitem(evidence.STEPS, "toy", Step("fails", ("exit 3",), ("*.py",)))
    assert evidence.update(["toy"], toy, again=False) == ["toy"]
    assert evidence.stamps() == {}


def test_every_step_says_what_it_depends_on():
    """A pattern that matches nothing would make a step up to date for ever."""
    for name, step in STEPS.items():
        for pattern in step.sources:
            assert any(ROOT.glob(pattern)), f"{name}: {pattern}"
