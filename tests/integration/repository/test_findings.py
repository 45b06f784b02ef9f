"""Findings: every violation has a cause, every cause a page that can be sent, and it is shown."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome
from impl.variants import VARIANTS

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tools" / "docs"))

import cause_page  # noqa: E402
import cause_texts  # noqa: E402
import comparison  # noqa: E402
import demonstrate  # noqa: E402
import findings  # noqa: E402
import findings_page  # noqa: E402
import history  # noqa: E402
import keras_workaround  # noqa: E402
from causes import CAUSES  # noqa: E402

FOLDER = ROOT / "docs" / "findings"
NOW = json.loads(findings.DATA.read_text("utf-8"))
SHOWN = json.loads(demonstrate.DATA.read_text("utf-8"))
PARTS = {"report.toml", "script.py", "change.diff", "test.py"}
BY_NAME = {cause.name: cause for cause in CAUSES}


def test_every_cause_has_a_folder_with_all_parts():
    """No part is missing, and no folder is left of a withdrawn cause."""
    parts = {folder.name: set(_names(folder)) for folder in FOLDER.iterdir() if folder.is_dir()}
    assert parts == dict.fromkeys(BY_NAME, PARTS)


def test_every_violation_belongs_to_a_cause_that_has_a_page():
    """Pages of causes that do not occur any more are gone."""
    assert NOW["violations"]
    pages = {page.stem for page in FOLDER.glob("*.md")}
    assert {each["cause"] for each in NOW["violations"]} == pages


def test_every_requirement_that_is_violated_is_listed_as_violated():
    """The list of violations and the outcomes are of the same run."""
    outcomes = {
        (name, row)
        for name, layer in NOW["implementations"].items()
        for row, outcome in layer["outcomes"].items()
        if Outcome(outcome).bad
    }
    assert {(each["implementation"], each["requirement"]) for each in NOW["violations"]} == outcomes


def test_causes_are_listed_by_severity():
    """Each once, the most severe first."""
    text = (ROOT / "docs" / "findings.md").read_text("utf-8").partition("## New since")[0]
    pages = [line.partition("(findings/")[2].partition(".md")[0] for line in text.splitlines()]
    listed = [page for page in pages if page]
    assert sorted(listed) == sorted(findings_page.occurring(NOW))
    ranks = [cause_texts.read(cause).rank for cause in listed]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('severity = "bad"', "severity 'bad' is none of wrong result, wrong gradient"),
        ('severity = "raises"\nwhom = ""', "whom"),
    ],
)
def test_a_wrong_text_is_refused(tmp_path, change, message):
    """The message names the file and what is wrong."""
    (tmp_path / "a").mkdir()
    texts = "".join(
        f'{name} = "x"\n'
        for name in ("title", "reason", "what", "documented", "why", "change", "test_file")
    )
    (tmp_path / "a" / "report.toml").write_text(texts + change, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"report\.toml: .*{message}"):
        cause_texts.read("a", tmp_path)


def test_pairs_of_expected_and_got_that_differ_are_deviations():
    """Blanks between word and value do not count; a label is part of both."""
    printed = "a note\nexpected 1 of a\ngot      1 of a\nexpected 2\ngot      3\nmore"
    assert demonstrate.deviations(printed) == [("2", "3")]
    with pytest.raises(ValueError, match="nothing is expected"):
        demonstrate.deviations("expected 1\nnothing\ngot 1")


DIFF = """--- a/one/a.py
+++ b/one/a.py
@@ -2,3 +2,3 @@
 kept
-gone
+new
 kept
@@ -10,2 +10,3 @@
 kept
+added
 kept
--- a/one/b.py
+++ b/one/b.py
@@ -1 +1 @@
-x
+y
"""


def test_places_of_a_diff_are_those_of_the_original():
    """One for each hunk; an added line is at the line before it."""
    places = [("one/a.py", 3, 3), ("one/a.py", 10, 10), ("one/b.py", 1, 1)]
    assert list(demonstrate.changed_lines(DIFF)) == places
    assert demonstrate.package(DIFF) == "one"


def test_the_function_around_a_changed_line_is_named(tmp_path):
    """It is the innermost one, with its class; a line outside of all has none."""
    source = "import a\n\n\nclass A:\n  def f(self):\n    def g():\n      pass\n    g()\n"
    (tmp_path / "a.py").write_text(source, encoding="utf-8")
    diffs = {line: f"--- a/a.py\n+++ b/a.py\n@@ -{line} +{line} @@\n-x\n+y\n" for line in (1, 7, 8)}
    found = {line: demonstrate.places(diff, tmp_path) for line, diff in diffs.items()}
    assert {line: each["function"] for line, (each,) in found.items()} == {
        1: "",
        7: "A.f.g",
        8: "A.f",
    }


@pytest.mark.parametrize("cause", SHOWN)
def test_a_change_applies_to_the_installed_framework(cause, tmp_path):
    """At the version that the page names; the places are those of the page."""
    _skip_unless_installed(cause)
    diff = FOLDER / cause / "change.diff"
    text = diff.read_text("utf-8")
    site = demonstrate.site_of(demonstrate.package(text))
    for place in SHOWN[cause]["places"]:
        target = tmp_path / place["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(site / place["file"], target)
    demonstrate.apply(diff, tmp_path)
    assert demonstrate.places(text, site) == SHOWN[cause]["places"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("cause", SHOWN)
def test_a_cause_is_shown_and_removed_by_its_change(cause):
    """The script and the test fail without the change, and pass with it; else it raises."""
    _skip_unless_installed(cause)
    shown, stored = demonstrate.demonstrate(BY_NAME[cause]), SHOWN[cause]
    expected = [line for line in stored["output"].splitlines() if line.startswith("expected")]
    assert [line for line in shown["output"].splitlines() if line in expected] == expected


def _skip_unless_installed(cause):
    for name, number in SHOWN[cause]["versions"].items():
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "none"
        if found != number:
            pytest.skip(f"the page is about {name} {number}; installed is {found}")


def test_a_change_that_does_not_apply_is_an_error(tmp_path):
    """Git says why."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.py").write_text("other\n", encoding="utf-8")
    diff = tmp_path / "change.diff"
    diff.write_text("--- a/one/a.py\n+++ b/one/a.py\n@@ -1 +1 @@\n-x\n+y\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="does not apply"):
        demonstrate.apply(diff, tmp_path)


def run_of(date, versions, violations, judged=("BN-A-1", "BN-B-1", "BN-C-1")):
    """Return invented data of a run of two layers, "one" and "two", of a framework each."""
    layer = dict.fromkeys(judged, "conforms")
    return {
        "run": {"date": date},
        "versions": versions,
        "implementations": {
            name: {"distribution": f"lib-{name}", "outcomes": layer} for name in ("one", "two")
        },
        "violations": [
            {"implementation": name, "requirement": row, "cause": cause}
            for name, row, cause in violations
        ],
    }


BEFORE = run_of(
    "2026-01-01",
    {"lib-one": "1.0", "lib-two": "2.0"},
    [
        ("one", "BN-A-1", "stays"),
        ("one", "BN-B-1", "grows"),
        ("two", "BN-A-1", "goes"),
        ("two", "BN-B-1", None),
    ],
    judged=("BN-A-1", "BN-B-1"),
)
AFTER = run_of(
    "2026-02-01",
    {"lib-one": "1.1", "lib-two": "2.0"},
    [
        ("one", "BN-A-1", "stays"),
        ("one", "BN-C-1", "grows"),
        ("two", "BN-C-1", "comes"),
    ],
)


def test_what_is_new_gone_and_changed_since_the_last_run():
    """By framework and cause, with versions; a requirement that was not judged before says so."""
    changes = {(each.framework, each.cause): each for each in comparison.compare(BEFORE, AFTER)}
    kinds = {key: (each.kind, each.versions) for key, each in changes.items()}
    assert kinds == {
        ("lib-one", "grows"): ("changed", "1.0 → 1.1"),
        ("lib-two", "goes"): ("gone", "2.0"),
        ("lib-two", "comes"): ("new", "2.0"),
        ("lib-two", ""): ("gone", "2.0"),
    }
    grows = changes["lib-one", "grows"]
    assert grows.added == ("C-1 by one (not judged before)",)
    assert grows.removed == ("B-1 by one",)
    assert comparison.unchanged(BEFORE, AFTER) == 1
    back = {each.cause: each for each in comparison.compare(AFTER, BEFORE)}
    assert back["comes"].removed == ("C-1 by two (not judged now)",)


def test_the_table_of_changes_links_causes_that_have_a_page():
    """Causes that are gone have none; equal runs have no table."""
    text = "\n".join(comparison.table(BEFORE, AFTER))
    assert "Since the run of 2026-01-01, 1 of 3 causes" in text
    assert "| lib-two | 2.0 | [comes](findings/comes.md) | new |" in text
    assert "| lib-two | 2.0 | goes | gone |" in text
    assert "| lib-two | 2.0 | none is known | gone |" in text
    (equal,) = comparison.table(AFTER, AFTER)
    assert equal.endswith("3 of 3 causes have the same findings; none is new, gone or changed.")


def test_the_data_of_another_run_become_those_of_the_last_one(tmp_path):
    """Writing the same run again does not lose what it is compared with."""
    file, before = tmp_path / "now.json", tmp_path / "before.json"
    findings.store(BEFORE, file, before)
    assert not before.exists()
    findings.store(AFTER, file, before)
    findings.store(AFTER, file, before)
    assert json.loads(before.read_text("utf-8")) == BEFORE
    assert json.loads(file.read_text("utf-8")) == AFTER


def test_a_page_says_in_which_versions_its_cause_is_present():
    """Of those that were tried; one in which the script does not run is neither."""
    (name, *_) = SHOWN
    shown = {**SHOWN[name], "versions": {"lib": "4", "jax": "0.9"}}
    tried = {
        "1": {"jax": "0.8", "shows": "AttributeError: no"},
        "2": {"jax": "0.8", "shows": "absent"},
        "3": {"jax": "0.9", "shows": "present"},
    }
    assert (
        "Present in lib 3 and 4; absent in 2 (with jax 0.8); in 1 (with jax 0.8) the script ends "
        "with `AttributeError: no`. Other versions were not tried."
        in cause_page.cause_page(name, NOW, shown, tried)
    )


def test_every_version_of_the_history_has_data():
    """At least three versions of flax and two of each peer, and what each script shows there."""
    stored = json.loads(history.DATA.read_text("utf-8"))
    listed = {entry: len(numbers) for entry, numbers in history.VERSIONS.items()}
    assert {entry: len(numbers) for entry, numbers in stored["judged"].items()} == listed
    assert all(count >= 3 if "fl" in entry else count >= 2 for entry, count in listed.items())
    assert set(stored["causes"]) == set(BY_NAME)
    assert all(len(tried) >= 2 for tried in stored["causes"].values())


@pytest.mark.parametrize("requirement", ["BN-ND-1", "BN-MASK-1", "BN-MASK-2", "BN-MASK-3"])
def test_a_layer_that_conforms_still_conforms_with_the_workaround(requirement):
    """Computing a single feature as one of two removes mistakes, and adds none."""
    correct = keras_workaround.without_single_features(VARIANTS["wide"])
    verdict = judge_requirement(REQUIREMENTS[requirement], Subject(correct), budget())
    assert verdict.outcome is Outcome.CONFORMS, verdict.violation


def _names(folder):
    return [file.name for file in folder.iterdir() if file.name != "__pycache__"]
