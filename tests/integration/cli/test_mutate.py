"""`conformance mutate` edits a layer in copies of its module, and shows what is not caught."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command_line import conformance
from support.sampling import exhaustive
from support.written_modules import SEED_SHAPED

from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation
from conformance.engine.sandbox.limits import Limits
from conformance.mutation.edit_worker import EditWorker
from conformance.mutation.edited_source import find_source
from conformance.mutation.mutants import mutants_of
from conformance.mutation.results import ENDED, EditOutcome, Original

FUNCTION = """
from pathlib import Path

import numpy as np

from .settings import EPS

SCALE = float(Path(__file__).with_name("scale.txt").read_text())


def forward(seed, x, use_running_average):
    x = np.asarray(x, np.float32)
    if use_running_average >= 0.5:
        return (x / np.sqrt(np.float32(1 + EPS))).reshape(-1)
    if x.shape[0] < 0:
        x = x + 1
    centred = x - x.mean(axis=0, dtype=np.float64)
    y = centred / np.sqrt(np.square(centred).mean(axis=0) + EPS)
    return np.asarray(y * SCALE, np.float32).reshape(-1)
"""

LOOPING = FUNCTION.replace(
    "    centred",
    "    left = 1\n    while left > 0:\n        left = left - 1\n    centred",
    1,
)


def write_package(folder: Path, text: str) -> None:
    package = folder / "norms"
    package.mkdir()
    (package / "__init__.py").write_text("from .forward import forward as function\n", "utf-8")
    (package / "settings.py").write_text("EPS = 1e-5\n", "utf-8")
    (package / "scale.txt").write_text("1.0", "utf-8")
    (package / "forward.py").write_text(text, "utf-8")


def test_edits_of_a_function_in_a_package(tmp_path):
    """Relative imports and files beside the module work; what is not caught is listed."""
    write_package(tmp_path, FUNCTION)
    command = ("mutate", "norms.forward:forward", "--json", "found.json", "-j", "1")
    done = conformance(*command, "--limit", "8", cwd=tmp_path)
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    edits, counts = found["edits"], found["counts"]

    assert done.returncode == 1, done.stderr
    assert found["complete"]
    assert found["definitions"] == ["forward", "SCALE"]
    assert found["unreached"] == [{"line": 16, "branch": None}]
    assert counts["planned"] == len(edits) == 8
    assert counts["made"] > 100
    assert counts["caught"] >= 3
    assert all(each["by"].startswith(("BN-FWD-", "BN-FLAG-")) for each in edits if each["by"])
    assert all(not each["reached"] for each in edits if each["line"] == 16)
    headline = f"{counts['caught']} of 8 edits would have been caught; these"
    assert headline in done.stdout
    assert "No case reaches line 16." in done.stdout
    assert f"8 edits, drawn from {counts['made']}" in done.stdout
    assert (tmp_path / "norms/forward.py").read_text("utf-8") == FUNCTION


def test_an_edit_that_hangs_is_ended(tmp_path, monkeypatch):
    """It counts as caught, and the next edit is judged in another process."""
    write_package(tmp_path, LOOPING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    worker = EditWorker("norms:function", Limits(2))
    try:
        original = worker.judge_original(worker.find_source(), ["BN-FWD-1"])
        edits = mutants_of(original.text, original.definitions, file="forward", prefix="edit")
        named = {edit.edit: edit for edit in edits}
        hung = worker.judge(original, named["left = left - 1 → left = left + 1"])
        wrong = worker.judge(original, named["x - x.mean(axis=0, dtype=np.float64) → x"])
    finally:
        worker.close()

    assert (hung.outcome, hung.by) == (EditOutcome.CAUGHT, ENDED)
    assert (wrong.outcome, wrong.by) == (EditOutcome.CAUGHT, "BN-FWD-1")


def test_the_layer_of_an_adapter_is_edited(tmp_path, monkeypatch):
    """An adapter in another module takes the edited layer, and is itself left alone."""
    (tmp_path / "layer.py").write_text(SEED_SHAPED, "utf-8")
    (tmp_path / "adapter.py").write_text(
        "from conformance import Implementation\nfrom layer import Norm\n\n"
        "norm = Implementation.nnx(Norm)\n",
        "utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    worker = EditWorker("adapter:norm", Limits(60))
    try:
        original = worker.judge_original(worker.find_source(), ["BN-INIT-1"])
        edits = mutants_of(original.text, original.definitions, file="layer", prefix="edit")
        edit = next(each for each in edits if each.line == 8 and "zeros" in each.after)
        judged = worker.judge(original, edit)
    finally:
        worker.close()

    assert original.file == str(tmp_path / "layer.py")
    assert (judged.outcome, judged.by) == (EditOutcome.CAUGHT, "BN-INIT-1")


def test_a_process_that_does_not_start_is_not_asked_again(tmp_path, monkeypatch):
    """Each time the layer is looked for anew."""
    monkeypatch.chdir(tmp_path)
    worker = EditWorker("norm.py:norm", Limits(60))
    try:
        for _ in range(2):
            with pytest.raises(AdapterError, match="there is no file"):
                worker.judge_original(Original(), ["BN-FWD-1"])
    finally:
        worker.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("odd.py:norm", "the source of its layer cannot be found"),
        pytest.param("broken.py:Norm", "broken", marks=exhaustive),
    ],
)
def test_what_cannot_be_edited_is_an_error(tmp_path, name: str, message: str):
    """Exit code 2, and a sentence."""
    (tmp_path / "broken.py").write_text("Norm = ", "utf-8")
    (tmp_path / "odd.py").write_text(
        "from conformance import Implementation\n\n"
        "norm = Implementation(name='odd', forward=pow)\n",
        "utf-8",
    )
    done = conformance("mutate", name, cwd=tmp_path)

    assert done.returncode == 2
    assert message in done.stderr


@exhaustive
def test_what_is_not_caught_of_the_reference_changes_nothing(tmp_path):
    """Edits of the reference that are not caught leave the program as it is, but for a sign."""
    done = conformance("mutate", "impl", "--json", "found.json", cwd=tmp_path)
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    left = [each for each in found["edits"] if each["outcome"] == "not caught"]
    seen = {(each["before"], each["after"]) for each in left if not each["same_program"]}

    assert done.returncode == 1
    assert found["unreached"] == []
    assert len(left) < 15
    assert seen == {("jnp.square(x - mean)", "jnp.square(mean - x)")}


def test_a_partial_of_a_class_is_edited(tmp_path):
    """The class behind it is, which has arguments that the partial leaves open."""
    layer = (
        "import functools\nfrom flax import nnx\n\n\nclass Norm(nnx.Module):\n"
        "    def __init__(self, d, momentum=0.9):\n        self.momentum = momentum\n\n\n"
        "norm = functools.partial(Norm, momentum=0.5)\n"
    )
    (tmp_path / "norms.py").write_text(layer, "utf-8")
    name = f"{tmp_path}/norms.py:norm"
    source = find_source(name, Implementation(name=name, build=abs), tmp_path)

    assert source.definitions == ("Norm",)
