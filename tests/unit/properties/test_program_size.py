"""Layers whose programs grow with the rows are judged without jit, or not, and it is said."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.runner import PropertyRun
from conformance.properties import PROPERTIES
from conformance.properties.support.notes import taking_notes
from conformance.properties.support.program_size import fits
from conformance.properties.support.subject import Subject
from conformance.strategies.shape_grid import Entry
from impl import reference
from impl.stepwise import Array, StepwiseBatchNorm


class Unrolled(StepwiseBatchNorm):
    """The sum of the rows is unrolled."""

    def batch_mean(self, x: Any) -> Array:
        total = x[0]
        for i in range(1, x.shape[0]):
            total = total + x[i]
        return total / x.shape[0]


class CompiledUnrolled(Unrolled):
    """It compiles the unrolled sum by itself."""

    def batch_mean(self, x: Any) -> Array:
        return jax.jit(super().batch_mean)(jnp.asarray(x))


class UnrolledInBranch(Unrolled):
    """A branch has the unrolled sum: JAX compiles branches and loops as a whole."""

    def batch_mean(self, x: Any) -> Array:
        unrolled = super().batch_mean
        return jax.lax.cond(True, unrolled, lambda x: x[0], jnp.asarray(x))


class CompiledBlocks(StepwiseBatchNorm):
    """It compiles a sum of blocks of 100 rows."""

    def batch_mean(self, x: Any) -> Array:
        def mean(x: Array) -> Array:
            blocks = [x[i : i + 100].sum(axis=0) for i in range(0, len(x), 100)]
            return sum(blocks[1:], blocks[0]) / len(x)

        return jax.jit(mean)(jnp.asarray(x))


def judge(layer: type[StepwiseBatchNorm], rows: int) -> tuple[int, list[str]]:
    """Return how many numbers were compared at a size, and what was left out."""
    subject = Subject(Implementation.nnx(layer))
    prop = PROPERTIES["BN-SHAPE-1"]
    palettes = ((Entry(rows, 2, 0.75, 1e-5),),)
    run = PropertyRun(prop, subject, budget(max_examples=1), palettes=palettes)
    with taking_notes() as notes:
        run()
    return notes.comparisons, notes.left_out


def test_an_unrolled_layer_is_called_without_jit():
    """2050 rows would be some thousands of equations in one program."""
    compared, left_out = judge(Unrolled, 1025)
    assert compared > 2 * 1025
    assert not left_out


@pytest.mark.parametrize("layer", [CompiledUnrolled, UnrolledInBranch])
def test_what_is_compiled_as_a_whole_is_left_out_and_said(layer: type[StepwiseBatchNorm]):
    """Its program has thousands of equations, whoever calls it."""
    compared, left_out = judge(layer, 1025)
    assert compared < 1025
    assert len(left_out) == 1
    assert left_out[0].startswith("1,025 × 2 (time: a program of about ")
    assert judge(layer, 129)[1] == []


def test_large_blocks_are_noticed():
    """A program that grows only from a hundred rows on is too large for a million."""
    subject = Subject(Implementation.nnx(CompiledBlocks))
    layer = subject.build(subject.conventions.constructed(_CONFIG))
    assert fits(subject, layer, (4097, 3), compiled=False)
    assert not fits(subject, layer, (2**20, 3), compiled=False)


@pytest.mark.parametrize("rows", [130, 2**21])
def test_ordinary_layers_fit_at_every_size(rows: int):
    """Their programs do not grow with the rows."""
    subject = Subject(reference())
    layer = subject.build(subject.conventions.constructed(_CONFIG))
    assert fits(subject, layer, (rows, 3), compiled=True, times=6)
    assert np.allclose(subject.growth, 0)


_CONFIG = Entry(2, 3, 0.9, 1e-5).config
