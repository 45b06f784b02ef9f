"""The corpus of held-out layers: complete, registered, and judged by the command for galleries."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from support.command_line import conformance

from conformance import Implementation
from conformance.adapters.gallery import GROUP
from conformance.requirements import REQUIREMENTS

sys.path.append(str(Path(__file__).parents[2]))  # the corpus need not be installed

import corpus

ROOT = Path(__file__).parents[2]
NAME = "first.affine.OnePlusGamma"


@pytest.fixture(scope="module")
def search_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a search path on which the corpus counts as installed, by its entry points."""
    place = tmp_path_factory.mktemp("site")
    about = place / "corpus-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: corpus\nVersion: 1\n")
    points = "\n".join(f"{name} = {value}" for name, value in read_entry_points().items())
    (about / "entry_points.txt").write_text(f"[{GROUP}]\n{points}\n")
    return f"{place}:{ROOT}"


def read_entry_points() -> dict[str, str]:
    text = (ROOT / "corpus" / "pyproject.toml").read_text("utf-8")
    return tomllib.loads(text)["project"]["entry-points"][GROUP]


def test_the_corpus_registers_its_faulty_and_its_correct_layers():
    """The entry points name galleries of records with known ids, and galleries of layers."""
    found = {
        name: EntryPoint(name, value, GROUP).load() for name, value in read_entry_points().items()
    }

    assert list(found) == ["blind", "blind-correct", "real", "real-correct"]
    assert all(
        record.breaks and set(record.breaks) <= set(REQUIREMENTS)
        for gallery in ("blind", "real")
        for record in found[gallery].values()
    )
    assert all(isinstance(layer, Implementation) for layer in found["blind-correct"].values())


def test_every_layer_of_the_corpus_is_accounted_for():
    """Each has a recorded verdict, or a reason why it cannot be judged."""
    recorded = corpus.VERDICTS
    assert {*recorded["faulty"], *recorded["outside"]} == set(corpus.layers("faulty"))
    assert set(recorded["correct"]) == set(corpus.layers("correct"))
    assert not set(recorded["faulty"]) & set(recorded["outside"])


def test_a_faulty_layer_violates_what_its_record_names(search_path: str, tmp_path: Path):
    """``faults --gallery blind`` re-judges the recorded verdict."""
    chosen = ("--gallery", "blind", NAME, "-j1")
    done = conformance("faults", *chosen, cwd=tmp_path, PYTHONPATH=search_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 faults are caught; 1 of 1 listed pairs are violated." in done.stdout


def test_a_correct_layer_of_the_corpus_is_judged_by_name(search_path: str, tmp_path: Path):
    """``run`` finds it in its gallery; it conforms."""
    name = "blind-correct:first.base.Base"
    done = conformance("run", name, "-k", "INIT-1", "-j1", cwd=tmp_path, PYTHONPATH=search_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert name in done.stdout
