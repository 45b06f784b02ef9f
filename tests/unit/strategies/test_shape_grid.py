"""The shapes and layouts that cases come in."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.adapters.operations.forms import CONTAINERS, FORMS
from conformance.strategies import mined, shape_grid
from conformance.strategies.shape_grid import DEFAULT


@pytest.mark.parametrize("block", [8, 16, 32, 64, 128, 256, 512, 1024])
@pytest.mark.parametrize("axis", ["rows", "features"])
def test_block_boundaries_are_swept(block: int, axis: str):
    """Whole blocks, one element less and one more, and less than a block are in the sweep."""
    sizes = {getattr(entry, axis) for entry in shape_grid.SWEEP}
    assert {0, 1, block - 1} <= {size % block for size in sizes if size >= block - 1}
    assert any(block // 2 < size < block for size in sizes)


def test_widths_are_swept():
    """The sweep has widths around every usual number of lanes, and square batches."""
    widths = {entry.features for entry in shape_grid.SWEEP}
    assert {7, 9, 31, 65, 127, 129, 255, 257} <= widths
    assert any(entry.rows == entry.features > 1 for entry in shape_grid.SWEEP)


@pytest.mark.parametrize("block", [2**n for n in range(1, 11)])
@pytest.mark.parametrize("axis", ["rows", "features"])
def test_blocks_of_functions_are_swept(block: int, axis: str):
    """A size lies in the upper half of a block, one is a multiple of it, and one leaves a tail."""
    sizes = {getattr(entry, axis) for entry in shape_grid.FORWARD_SWEEP}
    small = {getattr(entry, axis) for entry in DEFAULT}
    assert any(block // 2 < size <= block for size in sizes | small)
    assert any(size % block == 0 for size in sizes)
    assert any(size > block and size % block for size in sizes)


def test_sizes_of_both_axes_are_swept_together():
    """There are entries with more than 32 and with more than 64 of both, and multiples of 12."""
    assert any(entry.rows > 32 and entry.features > 32 for entry in shape_grid.SWEEP)
    assert any(entry.rows > 64 and entry.features > 64 for entry in shape_grid.SWEEP)
    assert any(entry.rows % 12 == 0 for entry in shape_grid.SWEEP)
    assert any(entry.features % 12 == 0 for entry in shape_grid.SWEEP)


@pytest.mark.parametrize("block", [2**n for n in range(3, 11)])
@pytest.mark.parametrize("axis", ["rows", "features"])
def test_quick_sweeps_have_tails(block: int, axis: str):
    """In a quick run sizes of both axes divide into blocks, and leave a tail, too."""
    sizes = {getattr(each, axis) for each in (*shape_grid.SWEEP_QUICK, *shape_grid.EAGER)}
    assert any(block // 2 < size <= block for size in sizes)
    assert any(size > block and size % block for size in sizes)
    largest = max(getattr(entry, axis) for entry in shape_grid.FORWARD_SWEEP_QUICK)
    assert largest > block


def test_large_sizes_are_also_run_eagerly():
    """Rows and features beyond 256 occur where nothing is compiled as a whole, too."""
    assert max(entry.rows for entry in shape_grid.EAGER) > 1024
    assert max(entry.features for entry in shape_grid.EAGER) > 256


def test_the_smallest_entry_comes_first():
    """Shrinking ends at two rows of one feature."""
    assert (DEFAULT[0].rows, DEFAULT[0].features) == (2, 1)
    assert set(shape_grid.SHAPES) == {(entry.rows, entry.features) for entry in DEFAULT}


def test_fresh_palettes_replay_from_their_seed():
    """The same seed yields the same palette, another seed other shapes."""
    assert shape_grid.draw_palette(7) == shape_grid.draw_palette(7)
    assert len({shape_grid.draw_palette(seed) for seed in range(20)}) == 20


@pytest.mark.parametrize("seed", range(20))
def test_fresh_palettes_serve_every_strategy(seed: int):
    """A fresh palette keeps the corners: one row, one feature, doubles, and few rows."""
    entries = shape_grid.draw_palette(seed)
    assert {(1, 1), (2, 1), (1, 2)} <= {(entry.rows, entry.features) for entry in entries}
    assert all(0 <= entry.momentum <= 1 and 1e-7 <= entry.eps <= 1 for entry in entries)
    shapes = {(entry.rows, entry.features) for entry in entries}
    assert any((2 * entry.rows, entry.features) in shapes for entry in entries)
    assert any(1 < entry.rows < 20 for entry in entries)


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_hold_the_batch(container: str):
    """Whatever the layout, the numbers are the same."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(np.asarray(FORMS[container](x)), x)


def test_containers_differ_in_layout():
    """C and Fortran order, gaps, negative strides, and memory that cannot be written to."""
    values = [FORMS[container](np.ones((2, 3), np.float32)) for container in CONTAINERS]
    arrays = [array for array in values if isinstance(array, np.ndarray)]
    assert len(arrays) < len(values)
    assert len({array.strides for array in arrays}) >= 4
    assert any(not array.flags.writeable for array in arrays)


def test_sizes_of_a_source_are_tried_with_their_neighbors():
    """Rows and features at, before and after a size, compiled and not; known ones are left out."""
    entries = [entry for (entry,) in mined.mined_sizes((1e-5, 5000, 128, 300, 700, 2.5))]
    assert {e.rows for e in entries if e.features == 1} == {299, 300, 301, 699, 700, 701}
    assert {e.features for e in entries if e.features > 1} == {299, 300, 301, 699, 700, 701}
    assert {e.rows for e in entries if shape_grid.runs_eagerly(e)} == {301, 701, 2}
    assert mined.mined_sizes((128, 0.5, 7, 10**9)) == ()


def test_large_sizes_of_a_source_are_tried_on_exact_sums():
    """Beyond the sweep there are four columns, or one where they would take too much memory."""
    tall = [entry for (entry,) in mined.mined_rows((700, 5000, 2_000_000, 10**8))]
    assert [(e.rows, e.features) for e in tall] == [
        *((4999, 4), (5000, 4), (5001, 4), (5000, 1)),
        *((1_999_999, 1), (2_000_000, 1), (2_000_001, 1)),
    ]
    wide = [entry for (entry,) in mined.mined_widths((700, 5000, 2_000_000))]
    assert [(e.rows, e.features) for e in wide] == [(2, 4999), (2, 5000), (2, 5001)]


def test_the_sizes_of_a_source_are_limited():
    """Of many numbers the first ones count."""
    entries = mined.mined_sizes(range(300, 400, 10))
    assert len(entries) == 8 * mined.MINED_SIZES
    assert max(entry.rows for (entry,) in entries) == 331


def test_values_of_a_source_are_momentum_and_eps_where_they_can_be():
    """A number up to 1 is a momentum as well, one that is neither tiny nor large an eps."""
    entries = [entry for (entry,) in mined.mined_values((0.37, 4.5, 5000))]
    assert [(e.value, e.momentum, e.eps) for e in entries] == [
        *((0.37, 0.75, 1e-5), (0.37, 0.37, 1e-5), (0.37, 0.75, 0.37)),
        *((4.5, 0.75, 1e-5), (4.5, 0.75, 4.5)),
        (5000, 0.75, 1e-5),
    ]
