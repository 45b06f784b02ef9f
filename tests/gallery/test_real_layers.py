"""Layers as people publish them are judged as they are: corpus/real and its table of verdicts."""

from __future__ import annotations

import re

import pytest
from support.real_layers import FOLDER, TABLE, disagreements
from support.sampling import exhaustive

from conformance.requirements import REQUIREMENTS, Level

pytestmark = pytest.mark.filterwarnings("ignore:'.value' (access|setter) is now deprecated")

SAMPLE = {
    "affine_submodule",
    "nchw_attribute",
    "torch_nchw_counter",
    "masked_by_product",
    "reshaped_channels",
    "running_variance_by_column",
    "config_object",
    "pure_function",
}
"""The layers that the default run judges: one or more of each verdict."""


def test_each_file_has_a_verdict():
    """The table names each file once, a known verdict and known requirements."""
    assert set(TABLE) == {path.stem for path in FOLDER.glob("*.py")}
    for name, entry in TABLE.items():
        assert entry["verdict"] in {"conforms", "declarations", "violates", "refused"}, name
        assert {*entry.get("violates", ()), *entry.get("should", ())} <= set(REQUIREMENTS), name
        assert all(REQUIREMENTS[i].level is Level.SHOULD for i in entry.get("should", ())), name
        assert entry["seen"], name


def test_no_layer_has_an_adapter():
    """The files import nothing of the suite."""
    text = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.py")}
    assert not [name for name, code in text.items() if re.search(r"conformance|impl\b", code)]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in SAMPLE else exhaustive)
        for name, entry in TABLE.items()
        if "line" in entry or entry["entry"] == "batch_norm"
    ],
)
def test_plain_numpy_agrees_with_the_table(name: str):
    """Right layers compute the definition, and a mistake in values shows, without the suite."""
    entry = TABLE[name]
    wrong = entry["verdict"] == "violates" and entry.get("numeric", True)

    assert bool(disagreements(name)) == wrong
