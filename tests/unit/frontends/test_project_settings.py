"""Settings of a project: where they are found, what is refused, and what overrides them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.frontends.cli import main
from conformance.frontends.options import COMMAND_LINE, OptionError
from conformance.frontends.project_settings import read_settings
from conformance.frontends.run_config import RunConfig

TABLE = '[tool.conformance]\nprofile = "quick"\nseed = 3\nstrict = true\nwaivers = "known.toml"\n'


def rows(*arguments: str) -> dict[str, tuple[str, str]]:
    """Return value and source of each setting as ``config`` prints them."""
    done = CliRunner().invoke(main, ["config", *arguments])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()[1:]
    return {line[:22].strip(): (line[23:59].strip(), line[60:].strip()) for line in lines}


def test_the_nearest_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Paths in it are seen from its directory."""
    (tmp_path / "pyproject.toml").write_text(TABLE + 'implementations = ["a/n.py:N", "impl"]\n')
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    found = read_settings()

    assert found.source == f"{tmp_path / 'pyproject.toml'} [tool.conformance]"
    assert found.values["implementations"] == ("../a/n.py:N", "impl")
    assert found.values["waivers"] == "../known.toml"
    (below / "conformance.toml").write_text("seed = 5\n")
    assert read_settings().values == {"seed": 5}


def test_config_shows_values_and_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Options override the file, which overrides the defaults; a flag can be taken back."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(TABLE)
    shown = rows("--seed", "4", "--no-strict")

    assert shown["profile"] == ("quick", "settings")
    assert shown["seed"] == ("4", "option --seed")
    assert shown["strict"] == ("False", "option --strict")
    assert shown["call_timeout"] == ("120.0", "default")
    assert shown["implementations"] == ("impl, flax", "default")
    assert rows("--no-config")["profile"] == ("default", "default")
    assert rows("my.py:Norm")["implementations"] == ("my.py:Norm", "arguments")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profil = 'quick'", "'profil' is not a setting. Did you mean 'profile'? There are: "),
        ("max-examples = 3", "Did you mean 'max_examples'?"),
        ("profile = 'long'", "profile = 'long': expected one of quick, default, thorough"),
        ("seed = '1'", "seed = '1': expected an integer"),
        ("seed = -1", "seed = -1: expected an integer of at least 0"),
        ("strict = 1", "strict = 1: expected true or false"),
        ("implementations = 'impl'", "implementations = 'impl': expected a list of strings"),
        ("seed =", "cannot be read"),
    ],
)
def test_what_cannot_be_used(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The message names the file, the key, the value and the rule; nothing is judged."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conformance.toml").write_text(text)
    with pytest.raises(OptionError) as refused:
        read_settings()
    assert str(tmp_path / "conformance.toml") in str(refused.value)
    assert message in str(refused.value)
    assert CliRunner().invoke(main, ["run", "impl"]).exit_code == 2
    assert CliRunner().invoke(main, ["run", "--help"]).exit_code == 0


def test_two_files_of_one_project_are_refused(tmp_path: Path):
    """Nobody would know which of them counts."""
    (tmp_path / "pyproject.toml").write_text(TABLE)
    (tmp_path / "conformance.toml").write_text("seed = 1\n")
    with pytest.raises(OptionError, match="Keep one of them"):
        read_settings(tmp_path)


def test_waivers_of_a_project_are_shared_by_its_runs(tmp_path: Path):
    """Those of implementations that a run does not name are left out, instead of being stale."""
    entry = (
        '[[waiver]]\nrequirement = "BN-EPS-1"\nreason = "r"\nissue = "i"\nimplementation = "{}"\n'
    )
    (tmp_path / "known.toml").write_text(entry.format("impl") + entry.format("flax"))
    given = {"implementations": ("impl",), "waivers": tmp_path / "known.toml"}
    kept = {
        shared: RunConfig.from_options(given | {"shared_waivers": shared}, COMMAND_LINE).waivers
        for shared in (True, False)
    }

    assert [waiver.implementation for waiver in kept[True]] == ["impl"]
    assert [waiver.implementation for waiver in kept[False]] == ["impl", "flax"]


def test_a_run_says_what_the_settings_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One line names the file and the keys; a grade depends on neither."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conformance.toml").write_text("seed = 5\nlevel = 'should'\n")
    names = ["nowhere.py:Norm", "--no-color"]
    told, silent, graded = (
        CliRunner().invoke(main, ["run", *names, *more])
        for more in ([], ["--no-config"], ["--grade", "g.json"])
    )

    assert told.exit_code == silent.exit_code == graded.exit_code == 2
    assert "conformance.toml sets seed, level\n" in told.stderr
    assert "sets" not in silent.stderr + graded.stderr


@pytest.mark.parametrize("spelled", ["../a/n.py:N", "../a/../a/n.py:N", "{}/a/n.py:N"])
def test_waivers_of_a_project_are_for_files(
    spelled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A path in them is seen from the settings, whatever the working directory and the spelling."""
    (tmp_path / "known.toml").write_text(
        '[[waiver]]\nrequirement = "BN-EPS-1"\nreason = "r"\nissue = "i"\n'
        'implementation = "a/n.py:N"\n'
    )
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    name = spelled.format(tmp_path)
    given = {
        "implementations": (name,),
        "waivers": "../known.toml",
        "waivers_from": tmp_path,
        "shared_waivers": True,
    }

    assert [
        waiver.implementation for waiver in RunConfig.from_options(given, COMMAND_LINE).waivers
    ] == [name]
