"""Markdown, badge and the commands that write them; the page has tests of its own."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from made_reports import EVERY, FINDING, report, verdict

from conformance.cli import main
from conformance.cli.publishing import summarize_job
from conformance.errors import printable
from conformance.report.badge import badge_texts, to_badge
from conformance.report.markdown import code, to_markdown
from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS
from conformance.verdict import Outcome, Violation

EVIL = "a|b\n`c` <script>x</script> **d** @someone #1 \x1b[31m\u202e"

_ALL = len(REQUIREMENTS)


def complete(*changed) -> Report:
    """A report about every requirement, all of which conform but those named."""
    by_id = {one.requirement: one for one in changed}
    return report(*(by_id.get(identity, verdict(identity)) for identity in REQUIREMENTS))


# Text that is not trusted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain γ σ ×", "plain γ σ ×"),
        ("a\nb\tc", "a\nb\tc"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\u202eback", r"\u202eback"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\ud800", r"\ud800"),
        ("\U000e0041tag", r"\U000e0041tag"),
        ("\x85\u2028", r"\x85\u2028"),
    ],
)
def test_hiding_characters_are_shown(text: str, shown: str):
    """Control, format and surrogate characters become escapes, everything else stays."""
    assert printable(text) == shown


# Markdown


def test_the_table_has_a_line_for_each_implementation():
    """Answer, counts and worst error ÷ bound are columns."""
    other = verdict("BN-EMA-1", implementation="other")
    text = to_markdown(report(*EVERY, other))
    assert "| <code>impl</code> | **fails** | 2/5 | 3 | 0 | 0.25 |" in text
    assert "| <code>other</code> | **conforms** | 1/1 | 0 | 0 | 0.25 |" in text


def test_markdown_is_short():
    """However much fails, a pull request gets a screen of text."""
    bad = [verdict(identity, Outcome.VIOLATES) for identity in REQUIREMENTS]
    text = to_markdown(report(*bad))
    assert len(text.splitlines()) < 40
    assert len(text) < 20_000
    assert f"and {len(bad) - 20} more, in the JSON report" in text


def test_hostile_text_leaves_no_code_span():
    """Bars, backticks, tags, mentions and line ends of a name are entities inside code."""
    violation = Violation(finding=replace(FINDING, quantity=EVIL), inputs={EVIL: EVIL})
    bad = verdict("BN-EMA-1", Outcome.VIOLATES, implementation=EVIL, violation=violation)
    made = replace(report(bad), diagnoses={EVIL: {"kind": "observed", "sentence": EVIL}})
    text = to_markdown(made)
    for part in ("<script", "`", "@someone", "\x1b", "\u202e", "**d**"):
        assert part not in text
    (row,) = [line for line in text.splitlines() if line.startswith("| <code>")]
    assert row.count("|") == 7
    assert code("a|b") == "<code>a&#124;b</code>"


def test_partial_reports_say_so():
    """A report on some requirements, or one that lost some, does not pass for a whole one."""
    assert f"covers only a part: 1 of {_ALL} requirements" in to_markdown(report(verdict()))
    assert "covers only a part: incomplete" in to_markdown(report(verdict(), expected=2))
    assert "covers only a part" not in to_markdown(complete())


def test_a_job_gets_a_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The table is appended to what other steps have written, and only where a job asks."""
    path = tmp_path / "summary.md"
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    summarize_job(complete())
    assert not path.exists()
    path.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    summarize_job(complete())
    assert path.read_text("utf-8") == "before\n" + to_markdown(complete())


def test_a_summary_that_cannot_be_written_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The verdict does not depend on it."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    summarize_job(complete())
    assert capsys.readouterr().err.startswith("Warning: no job summary: ")


# Badge


@pytest.mark.parametrize(
    ("made", "message", "colour"),
    [
        (complete(), "MUST + SHOULD · 0 waivers · 0 deviations", "#2b7a3d"),
        (
            complete(verdict("BN-NUM-1", Outcome.DEVIATES)),
            "MUST + SHOULD · 0 waivers · 1 deviation",
            "#2b7a3d",
        ),
        (
            complete(verdict("BN-STATE-8", Outcome.VIOLATES)),
            "MUST · 0 waivers · 0 deviations",
            "#8a5a00",
        ),
        (
            complete(verdict("BN-EMA-1", Outcome.VIOLATES)),
            "fails 1 MUST · 0 waivers · 0 deviations",
            "#b3261e",
        ),
        (
            report(verdict()),
            f"MUST + SHOULD (1 of {_ALL} requirements) · 0 waivers · 0 deviations",
            "#8a5a00",
        ),
        (
            replace(complete(), footer=replace(complete().footer, missing=["BN-EMA-1[impl]"])),
            "MUST + SHOULD (incomplete) · 0 waivers · 0 deviations",
            "#8a5a00",
        ),
        (report(EVERY[3]), f"not judged (1 of {_ALL} requirements) · 0 waivers · 0 deviations",
         "#8a5a00"),
    ],
)  # fmt: skip
def test_badges_say_what_was_reached(made: Report, message: str, colour: str):
    """Level, waivers and deviations are named, and only a whole run is green."""
    label, found, fill = badge_texts(made)
    suite = made.header.environment["batchnorm-conformance"]
    assert (label, found, fill) == (f"BatchNorm conformance {suite}", message, colour)


def test_badges_are_drawings():
    """A badge is well-formed SVG with a text alternative and no link to anything."""
    made = complete()
    there = made.header.environment | {"batchnorm-conformance": '"><script>\x07'}
    hostile = replace(made, header=replace(made.header, environment=there))
    root = ET.fromstring(to_badge(hostile))
    kinds = {element.tag.removeprefix("{http://www.w3.org/2000/svg}") for element in root.iter()}
    assert kinds == {"svg", "title", "rect", "path", "g", "text"}
    assert root.get("aria-label").startswith('BatchNorm conformance "><script>\\x07: MUST')


# Commands


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.json"
    report(*EVERY).write(path)
    return path


def test_a_report_is_rendered(file: Path):
    """Each option writes its file, also in a directory that is not there yet."""
    out = file.parent / "out"
    done = invoke(
        *("report", file, "--html", out / "r.html"),
        *("--markdown", out / "r.md", "--badge", out / "r.svg"),
    )
    assert (done.exit_code, done.output) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == ["r.html", "r.md", "r.svg"]
    assert (out / "r.html").read_text("utf-8").startswith("<!doctype html>")
    assert (out / "r.md").read_text("utf-8") == to_markdown(report(*EVERY))
    assert (out / "r.svg").read_text("utf-8") == to_badge(report(*EVERY))


def test_without_an_option_markdown_is_printed(file: Path):
    """What would be written is shown."""
    assert invoke("report", file).output == to_markdown(report(*EVERY))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--html", "r.json"), "r.json is the report itself and would be overwritten."),
        (("--html", "x", "--badge", "x"), "--html and --badge both write x: name two files"),
        (("--html", "."), "is a directory"),
        (("--markdown", "r.json/x"), "--markdown 'r.json/x': cannot be written: "),
    ],
)
def test_files_are_not_lost(
    file: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], told: str
):
    """What would overwrite something, or cannot be written, is refused in one sentence."""
    monkeypatch.chdir(file.parent)
    before = file.read_bytes()
    done = invoke("report", "r.json", *options)
    assert done.exit_code == 2
    assert told in done.output
    assert "Traceback" not in done.output
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == before


def test_combine_overwrites_no_part(file: Path):
    """The output may not be one of the shards."""
    done = invoke("combine", file, "-o", file)
    assert done.exit_code == 2
    assert f"{file} is a shard and would be overwritten." in done.output


def test_combine_refuses_whole_runs(file: Path):
    """Nothing is written where the parts are none."""
    done = invoke("combine", file, "-o", file.parent / "all.json")
    assert done.exit_code == 2
    assert f"{file} is no shard but a whole run." in done.output
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("command", ["report", "diff", "combine"])
def test_what_is_no_report_is_refused(file: Path, command: str):
    """All commands refuse other files in the same way."""
    file.write_text("{")
    rest = {"diff": (file,), "combine": ("-o", file.parent / "all.json")}.get(command, ())
    done = invoke(command, file, *rest)
    assert done.exit_code == 2
    assert f"{file} is no report" in done.output
    assert "Traceback" not in done.output


def test_the_schema_is_printed(file: Path):
    """What `conformance schema` prints is a schema, and reports are what it describes."""
    schema = json.loads(invoke("schema").output)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(file.read_text("utf-8")), schema)
    part = report(*EVERY)
    part = replace(part, header=replace(part.header, shard="2/3"))
    jsonschema.validate(json.loads(json.dumps(part.to_json())), schema)


def test_the_page_is_made_of_files_of_the_package():
    """Template, style and script lie beside the module, so that a wheel has them."""
    import conformance.report.page as module  # noqa: PLC0415  for its place only

    here = Path(module.__file__).parent
    for name in ("page.html.jinja", "page.css", "page.js", "schema.json"):
        assert (here / name).is_file(), name
