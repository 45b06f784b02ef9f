"""The commands that render reports, and their refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from support.example_reports import EVERY, WAIVED, report

from conformance.frontends.cli import main
from conformance.report.badge import to_badge
from conformance.report.markdown import to_markdown


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.json"
    report(*EVERY, WAIVED).write(path)
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
    assert (out / "r.md").read_text("utf-8") == to_markdown(report(*EVERY, WAIVED))
    assert (out / "r.svg").read_text("utf-8") == to_badge(report(*EVERY, WAIVED))


def test_without_an_option_markdown_is_printed(file: Path):
    """What would be written is shown."""
    assert invoke("report", file).output == to_markdown(report(*EVERY, WAIVED))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--html", "r.json"), "r.json is the report itself and would be overwritten."),
        (("--html", "x", "--badge", "x"), "--html and --badge both write x: name two files"),
        (("--html", "."), "is a directory"),
        (("--markdown", "r.json/x"), "--markdown 'r.json/x': cannot be written: "),
    ],
)
def test_files_are_not_lost(
    file: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], expected: str
):
    """What would overwrite something, or cannot be written, is refused in one sentence."""
    monkeypatch.chdir(file.parent)
    before = file.read_bytes()
    done = invoke("report", "r.json", *options)
    assert done.exit_code == 2
    assert expected in done.output
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
    assert f"{file} is not a shard but a whole run." in done.output
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("command", ["report", "diff", "combine"])
def test_what_is_no_report_is_refused(file: Path, command: str):
    """All commands refuse other files in the same way."""
    file.write_text("{")
    rest = {"diff": (file,), "combine": ("-o", file.parent / "all.json")}.get(command, ())
    done = invoke(command, file, *rest)
    assert done.exit_code == 2
    assert f"{file} is not a report" in done.output
    assert "Traceback" not in done.output


def test_the_schema_is_printed(file: Path):
    """`conformance schema` prints a schema, and reports satisfy it."""
    schema = json.loads(invoke("schema").output)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(file.read_text("utf-8")), schema)
    part = report(*EVERY, WAIVED)
    part = replace(part, header=replace(part.header, shard="2/3"))
    jsonschema.validate(json.loads(json.dumps(part.to_dict())), schema)


def test_the_page_is_made_of_files_of_the_package():
    """Template, style and script lie beside the module, so that a wheel has them."""
    import conformance.report.page as module  # noqa: PLC0415  for its place only

    here = Path(module.__file__).parent
    for name in ("page.html.jinja", "page.css", "page.js", "schema.json"):
        assert (here / name).is_file(), name
