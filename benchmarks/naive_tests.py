"""The tests that layers usually have, for flax's BatchNorm: some examples, or drawn arrays.

Both compare with the textbook formula in NumPy at one tolerance: y in training and in evaluation,
and the running statistics after a step. No tolerance suits every drawn batch, so the number of
batches for which a right layer is accused is printed, too.

Usage: python benchmarks/naive_tests.py examples|drawn
"""

from __future__ import annotations

import sys

import numpy as np
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

EXAMPLES = 100


def check(x: np.ndarray) -> None:
    """Compare one batch with the formula."""
    layer = nnx.BatchNorm(x.shape[1], momentum=0.9, epsilon=1e-5, rngs=nnx.Rngs(0))
    mean, var = x.mean(axis=0), x.var(axis=0)
    y = layer(x, use_running_average=False)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(layer.mean[...], 0.1 * mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.var[...], 0.9 + 0.1 * var, rtol=1e-4, atol=1e-5)
    scale = np.sqrt(np.asarray(layer.var[...]) + 1e-5)
    evaluated = layer(x, use_running_average=True)
    np.testing.assert_allclose(evaluated, (x - layer.mean[...]) / scale, rtol=1e-3, atol=1e-3)


@st.composite
def batches(draw: st.DrawFn) -> np.ndarray:
    """Draw N from 2 to 40, D from 1 to 17, and every number."""
    shape = draw(st.integers(2, 40)), draw(st.integers(1, 17))
    return draw(arrays(np.float32, shape, elements=st.floats(-10, 10, width=32)))


def accusations() -> int:
    """Return for how many drawn batches flax's layer is outside the tolerance."""
    found = 0

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)
    @given(batches())
    def count(x: np.ndarray) -> None:
        nonlocal found
        try:
            check(x)
        except AssertionError:
            found += 1

    count()
    return found


def main() -> None:
    """Run one of both, and print the number of cases."""
    if sys.argv[1:] == ["drawn"]:
        print(f"{accusations()} accusations\n{EXAMPLES} cases")
    else:
        rng = np.random.default_rng(0)
        for shape in ((8, 3), (32, 16), (64, 1)):
            check(rng.normal(size=shape).astype(np.float32))
        print("3 cases")


if __name__ == "__main__":
    main()
