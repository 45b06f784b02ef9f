"""benchmarks/correct_layers.py writes distinct modules, the same ones each time, and they work."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from generated import fragments
from generated.writing import write_layers

from conformance.adapters.protocols import Config
from conformance.adapters.resolve import resolve

LAYERS = list(write_layers(1000, 0))


def test_a_thousand_layers_are_distinct_and_the_same_each_time():
    """Every choice occurs in them."""
    assert len({layer.text for layer in LAYERS}) == 1000
    assert list(write_layers(50, 0)) == LAYERS[:50]
    assert {layer.text for layer in write_layers(20, 1)}.isdisjoint(x.text for x in LAYERS)
    for name, options in (("total", fragments.TOTALS), ("branch", fragments.BRANCHES)):
        assert {layer.choices[name] for layer in LAYERS} == set(options)
    for name, options in (("mean", fragments.MEANS), ("average", fragments.AVERAGES)):
        assert {layer.choices[name] for layer in LAYERS} == set(options)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("number", [0, 1, 250, 600])
def test_a_layer_normalizes(number: int, tmp_path: Path):
    """A training call standardizes the batch, and an evaluation uses the averages."""
    (tmp_path / "norm.py").write_text(LAYERS[number].text, encoding="utf-8")
    build = resolve(f"{tmp_path / 'norm.py'}:Norm").build
    assert build is not None
    layer = build(Config(features=2, momentum=0.5, eps=1e-3))
    x = np.array([[1, 2], [3, 4], [8, 0]], np.float32)
    y = np.asarray(layer(x, False))
    assert y == pytest.approx((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), rel=1e-5)
    assert np.asarray(layer.read()["running_mean"]) == pytest.approx(x.mean(0) / 2)
