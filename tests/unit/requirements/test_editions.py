"""Editions: the published ones agree with the rows, and changes between editions are found."""

from __future__ import annotations

import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.requirements import REQUIREMENTS, Level
from conformance.requirements.editions import (
    UnknownEdition,
    edition_named,
    editions_with,
    history_of,
    judged_rows,
    newest_edition,
    published_editions,
    rows_of,
)
from conformance.requirements.editions.changes import Change, describe_change, disagreements
from conformance.requirements.editions.edition import Edition, draft_edition, edition_order
from conformance.requirements.pages import page_of
from conformance.requirements.table import ROWS_AS_WRITTEN

TOOL = runpy.run_path(str(Path(__file__).parents[3] / "tools/docs/editions.py"))
IDS = tuple(ROWS_AS_WRITTEN)
MUST = next(i for i in IDS if ROWS_AS_WRITTEN[i].level is Level.MUST)
OTHER = next(i for i in reversed(IDS) if ROWS_AS_WRITTEN[i].level is Level.MUST)


def edition(name: str, without: tuple[str, ...] = (), **changed: str) -> Edition:
    """Return an invented edition: that of the rows, with other fields of ``MUST``."""
    rows = {i: dict(row) for i, row in draft_edition().rows.items() if i not in without}
    if MUST in rows:
        rows[MUST] |= changed
    return Edition(name, rows)


def test_the_rows_agree_with_the_newest_edition():
    """No row of a published edition has changed, unless the draft says why the next one will."""
    assert "\n".join(disagreements(newest_edition(), draft_edition())) == ""


def test_every_published_edition_can_be_judged():
    """Every requirement of every edition still has a row."""
    assert published_editions()
    for each in published_editions():
        assert set(each.rows) <= set(IDS), each.name


def test_a_row_that_an_edition_dropped_names_the_last_one_that_has_it():
    """``until`` is a published edition with the row."""
    for row in ROWS_AS_WRITTEN.values():
        assert not row.until or row.id in edition_named(row.until).rows


def test_the_table_is_that_of_the_newest_edition():
    """What is judged without an option has the levels and texts of the newest edition."""
    for identity, frozen in newest_edition().rows.items():
        row = REQUIREMENTS[identity]
        assert (row.level.value, row.statement) == (frozen["level"], frozen["statement"])
        assert (row.formula, row.grounds) == (frozen["formula"], frozen["grounds"])


def test_a_later_change_of_a_row_waits_for_the_next_edition():
    """The edition has the level and the text that it was published with."""
    rows = rows_of(edition("2020.1", level="should", statement="Old.", formula="a"))
    assert (rows[MUST].level, rows[MUST].statement, rows[MUST].formula) == (
        Level.SHOULD,
        "Old.",
        "a",
    )
    assert list(rows) == list(IDS)


def test_a_row_that_an_edition_does_not_have_is_a_should_at_most():
    """A new MUST is judged as a SHOULD until an edition has it; a SHOULD stays one."""
    should = next(i for i in IDS if ROWS_AS_WRITTEN[i].level is Level.SHOULD)
    rows = rows_of(edition("2020.1", without=(MUST, should)))
    assert rows[MUST] == replace(ROWS_AS_WRITTEN[MUST], level=Level.SHOULD)
    assert rows[should] == ROWS_AS_WRITTEN[should]


def test_a_run_judges_the_newest_edition_and_what_was_added_since(monkeypatch):
    """A named edition has exactly its rows; without a name, added rows are judged as well."""
    names = judged_rows.__globals__
    newest = edition("2020.1", without=(MUST,))
    dropped = replace(ROWS_AS_WRITTEN[OTHER], until="2020.1")
    monkeypatch.setitem(ROWS_AS_WRITTEN, OTHER, dropped)
    monkeypatch.setitem(names, "published_editions", lambda: (newest,))
    rows = judged_rows()
    assert list(rows) == list(IDS)
    assert rows[MUST].level is Level.SHOULD
    assert list(judged_rows("2020.1")) == [i for i in IDS if i != MUST]

    later = edition("2020.2", without=(OTHER,))
    monkeypatch.setitem(names, "published_editions", lambda: (newest, later))
    assert list(judged_rows()) == [i for i in IDS if i != OTHER]
    assert judged_rows()[MUST].level is Level.MUST
    assert list(judged_rows("2020.1")) == [i for i in IDS if i != MUST]
    assert editions_with([OTHER]) == ["2020.1", "draft"]
    with pytest.raises(UnknownEdition, match=r"There are: 2020\.1, 2020\.2, draft"):
        judged_rows("2020.3")


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (None, {"level": "should"}, "added as SHOULD"),
        ({"level": "should"}, None, "removed"),
        ({"level": "should"}, {"level": "must"}, "raised from SHOULD to MUST"),
        ({"level": "must"}, {"level": "should"}, "lowered from MUST to SHOULD"),
        ({"formula": "a"}, {"formula": "b"}, "formula reworded"),
        (
            {"level": "should", "needs": "nnx", "statement": "A.", "grounds": "b"},
            {"level": "must", "needs": "layer", "statement": "B.", "grounds": "c"},
            "raised from SHOULD to MUST; statement and grounds reworded; applies to layer "
            "instead of nnx",
        ),
        ({"level": "must"}, {"level": "must"}, ""),
        (None, None, ""),
    ],
)
def test_changes_are_described(before, after, what):
    """Each kind of change has words, and several are listed."""
    assert describe_change(before, after) == what


def test_the_history_goes_from_the_first_edition_to_the_draft(monkeypatch):
    """It lists what each edition changed, with the reason, and nothing where nothing changed."""
    first, second = edition("2020.1", level="should"), edition("2020.2")
    editions = (edition("2019.1", without=(MUST,)), first, replace(second, reasons={MUST: "Why."}))
    monkeypatch.setitem(history_of.__globals__, "published_editions", lambda: editions)
    assert history_of(MUST) == (
        Change("2020.1", "added as SHOULD"),
        Change("2020.2", "raised from SHOULD to MUST", "Why."),
    )
    assert str(history_of(MUST)[1]) == "2020.2: raised from SHOULD to MUST. Why."
    without = edition("draft", without=(MUST,))
    monkeypatch.setitem(history_of.__globals__, "draft_edition", lambda: without)
    assert history_of(MUST)[-1] == Change("draft", "removed")


def test_every_requirement_has_a_history():
    """It begins where the requirement was added, which the draft may be."""
    for identity in IDS:
        assert history_of(identity)[0].what.startswith("added as "), identity
    with pytest.raises(KeyError, match="BN-EMA-99"):
        history_of("BN-EMA-99")


def test_unexplained_changes_are_named_with_the_next_step():
    """A changed row, a dropped row, a deleted row and needless reasons are each found."""
    newest, draft = edition("2020.1", level="should"), edition("draft", without=(OTHER,))
    newest = replace(newest, rows={**newest.rows, "BN-GONE-1": newest.rows[MUST]})
    raised, removed, gone = disagreements(newest, draft)
    assert raised.startswith(f"{MUST}: raised from SHOULD to MUST since edition 2020.1. Restore")
    assert f'draft.toml: {MUST} = "…"' in raised
    assert "python tools/docs/editions.py 2020.1" in raised
    assert removed.startswith(f"{OTHER}: removed since edition 2020.1.")
    assert gone.startswith("BN-GONE-1 is in edition 2020.1, but has no row.")
    assert 'until="2020.1"' in gone

    explained = replace(draft, reasons={MUST: "Why.", OTHER: "Why."})
    assert disagreements(newest, explained) == [gone]
    needless = replace(explained, reasons={MUST: "Why.", "BN-NEW-1": "Why."})
    same, new = disagreements(edition("2020.1"), replace(needless, rows=edition("draft").rows))
    assert same == f"{MUST} is as in edition 2020.1: delete its reason from draft.toml."
    assert new == "draft.toml has a reason for BN-NEW-1, which edition 2020.1 does not have."


@pytest.mark.parametrize(("before", "now"), [("may", "must"), ("must", "may")])
def test_what_is_observed_does_not_become_a_requirement(before: str, now: str):
    """Nor the other way: it takes a new id, whatever the reason."""
    draft = replace(edition("draft", level=now), reasons={MUST: "Why."})
    (refused,) = disagreements(edition("2020.1", level=before), draft)
    assert refused.startswith(f"{MUST}: what is observed is not judged")


def test_unknown_editions_are_refused():
    """The message lists the editions that there are, the draft among them."""
    there = ", ".join([*(each.name for each in published_editions()), "draft"])
    wanted = f"edition '1999.1': this version of the suite does not have it. There are: {there}"
    with pytest.raises(UnknownEdition, match=f"^{re.escape(wanted)}$"):
        edition_named("1999.1")


def test_editions_are_ordered_by_number():
    """The tenth edition of a year follows the ninth."""
    names = ["2026.10", "2027.1", "2026.9"]
    assert sorted(names, key=edition_order) == ["2026.9", "2026.10", "2027.1"]
    with pytest.raises(UnknownEdition, match=r"'2026': expected a year and a number, such as"):
        edition_order("2026")


def test_the_next_edition_takes_the_reasons_of_the_draft():
    """It is written from the draft, if every change has a reason."""
    old = edition("2020.1", level="should")
    draft = replace(draft_edition(), reasons={MUST: "Why."})
    written = TOOL["next_edition"]("2020.2", (old,), draft, "")
    assert (written.name, written.rows, written.reasons) == ("2020.2", draft.rows, {MUST: "Why."})
    again = TOOL["next_edition"]("2020.2", (old, written), edition("draft"), "")
    assert again.to_text() == written.to_text()
    with pytest.raises(UnknownEdition, match=f"{MUST}: raised from SHOULD to MUST since"):
        TOOL["next_edition"]("2020.2", (old,), edition("draft"), "")


@pytest.mark.parametrize(
    ("name", "tag", "message"),
    [
        ("2020.1", "v1.0", "2020.1 is in release v1.0, so it stays as it is. Publish the next"),
        ("2019.5", "", "edition 2019.5 is older than 2020.1, the newest"),
        ("next", "", "edition 'next': expected a year and a number"),
    ],
)
def test_a_released_edition_is_not_written_again(name, tag, message):
    """Nor is one that is older than the newest, or that has another kind of name."""
    with pytest.raises(UnknownEdition, match=re.escape(message)):
        TOOL["next_edition"](name, (edition("2020.1"),), draft_edition(), tag)


def test_releases_are_found_by_their_tags(tmp_path):
    """A tag of a release that has the file of an edition is found; other tags do not count."""
    git, released = TOOL["_git"], TOOL["release_with"]
    git(tmp_path, "init", "-q")
    name = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(tmp_path, *name, "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path, "tag", "v0.1.0")
    file = tmp_path / "conformance/requirements/editions/2020.1.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, *name, "commit", "-q", "-m", "second")
    git(tmp_path, "tag", "wip")
    assert released("2020.1", tmp_path) == ""
    git(tmp_path, "tag", "v0.2.0")
    assert released("2020.1", tmp_path) == "v0.2.0"
    assert released("2020.2", tmp_path) == ""


def test_a_page_has_one_address(monkeypatch):
    """It is below the documentation that the metadata names, else a path of the site."""
    site = page_of.__globals__["_site"]
    for urls, address in (
        (["Source, https://example.org/s", "Documentation, https://example.org/d"], "d"),
        (["Documentation, https://example.org/d/"], "d"),
    ):
        site.cache_clear()
        found = type("Found", (), {"get_all": lambda _, __, urls=urls: urls})()
        monkeypatch.setitem(site.__wrapped__.__globals__, "metadata", lambda _, found=found: found)
        assert page_of("BN-EMA-1") == f"https://example.org/{address}/requirements/BN-EMA-1/"
    monkeypatch.undo()
    site.cache_clear()
    assert page_of("BN-EMA-1").endswith("requirements/BN-EMA-1/")
