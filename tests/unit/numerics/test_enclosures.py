"""The public bounds: no correct algorithm is outside, mistakes are, and bad input is named."""

from __future__ import annotations

import doctest

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from support import gradient_algorithms as differentiated
from support.float32_algorithms import APPLIED, EPS, STABLE, F, inputs, one_pass, parameters
from support.float32_algorithms import far_from_zero as far

from conformance import bounds, oracle
from conformance.adapters.protocols import Config
from impl.variants import VARIANTS


def worst(enclosure: bounds.Enclosure, got) -> float:
    return float(enclosure.ratio(got).max())


@pytest.mark.parametrize("rows", [1, 2, 7, 33])
@pytest.mark.parametrize("computed", STABLE, ids=lambda f: f.__name__)
def test_no_correct_algorithm_is_outside(computed, rows: int):
    """Two-pass, pairwise, Welford, shifted, chunked; direct, premultiplied and fused outputs."""
    for x in inputs(rows):
        state = parameters(x.shape[1])
        expected = bounds.batch_norm(x, state.gamma, state.beta, EPS)
        mean, var = computed(x)
        rstd = F(1) / np.sqrt(var + F(EPS))
        found = [worst(expected.mean, mean), worst(expected.var, var), worst(expected.rstd, rstd)]
        outputs = [apply(x, mean, rstd, state.gamma, state.beta) for apply in APPLIED]
        assert max(found + [worst(expected.y, y) for y in outputs]) < 1
        old = state.running_var
        updated = F(0.9) * old + F(1 - 0.9) * var
        assert worst(bounds.running_average(0.9, old, expected.var), updated) < 1


@pytest.mark.parametrize("rows", [2, 13])
@pytest.mark.parametrize("backward", differentiated.BY_HAND, ids=lambda f: f.__name__)
def test_no_correct_gradient_is_outside(backward, rows: int):
    """Backward passes in three terms, merged, and by the chain rule."""
    state = differentiated.generated(rows)[1]
    for x in differentiated.inputs(rows):
        expected = bounds.batch_norm(x, state.gamma, state.beta, differentiated.EPS)
        for w in differentiated.cotangents(rows):
            gamma, beta, dx = backward(x, state.gamma, state.beta, w)
            gradients = expected.gradients(w)
            assert worst(gradients.gamma, gamma) < 1
            assert worst(gradients.beta, beta) < 1
            assert worst(gradients.x, dx) < 1


def test_sums_that_round_worst_are_inside_up_to_the_largest_batch():
    """A sequential float32 sum of 131,072 equal numbers errs by a quarter of N·u."""
    x = np.full((2**17, 2), [0.1, 7.3], F)
    mean = np.cumsum(x, axis=0, dtype=F)[-1] / F(len(x))
    squares = np.square(x - mean)
    var = np.cumsum(squares, axis=0, dtype=F)[-1] / F(len(x))
    expected = bounds.batch_norm(x, [1.0, 1.0], [0.0, 0.0], EPS)
    assert 0.05 < worst(expected.mean, mean) < 1
    assert worst(expected.var, var) < 1
    assert worst(expected.y, (x - mean) / np.sqrt(var + F(EPS))) < 1


PLAIN = [
    name
    for name, variant in VARIANTS.items()
    if not variant.deviations
    and variant.build
    and variant.wider is None
    and variant.design.layout.ndim == 2
    and not variant.design.fixed
    and not variant.design.absent
]


@pytest.mark.parametrize(
    "name",
    [
        name if at % 12 == 0 else pytest.param(name, marks=pytest.mark.exhaustive)
        for at, name in enumerate(PLAIN)
    ],
)
def test_no_correct_variant_is_outside(name: str):
    """The layers of the gallery of unusual but correct ones, trained and evaluated."""
    for rows in (7, 33):
        x, state = inputs(rows)[0][:, :40], parameters(40)
        layer = VARIANTS[name].build(Config(features=40, momentum=0.9, eps=EPS))
        layer.write(state.arrays())
        y = layer(x.copy(), False)
        assert worst(bounds.batch_norm(x, state.gamma, state.beta, EPS).y, y) < 1
        layer.write(state.arrays())
        given = (state.gamma, state.beta, state.running_mean, state.running_var)
        evaluated = bounds.batch_norm_inference(x, *given, EPS)
        assert worst(evaluated, layer(x.copy(), True)) < 1


def mistaken(x: np.ndarray) -> dict[str, np.ndarray]:
    """Return outputs with γ = 1 and β = 0 of batches whose mistake is in one place."""
    mean, var = x.mean(axis=0), x.var(axis=0)
    half = x.astype(np.float16)
    of_half = half.sum(axis=0, dtype=np.float16) / np.float16(len(x))
    return {
        "ddof=1": (x - mean) / np.sqrt(x.var(axis=0, ddof=1) + F(0.01)),
        "eps outside": (x - mean) / (np.sqrt(var) + F(0.01)),
        "wrong axis": (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + F(0.01)),
        "float16 sums": (x - of_half.astype(F)) / np.sqrt(var + F(0.01)),
        "bfloat16 output": ((x - mean) / np.sqrt(var + F(0.01))).astype(ml_dtypes.bfloat16),
        "not a number": np.full_like(x, np.nan),
    }


@pytest.mark.parametrize("name", mistaken(np.ones((2, 2), F)))
@pytest.mark.parametrize("rows", [8, 256])
def test_mistakes_are_outside(name: str, rows: int):
    x = np.random.default_rng(rows).standard_normal((rows, 8)).astype(F) * F(0.3) + F(1)
    expected = bounds.batch_norm(x, np.ones(8), np.zeros(8), 0.01)
    assert worst(expected.y, (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + F(0.01))) < 1
    with pytest.raises(AssertionError, match=r"^y\[\d+, \d\]: got .* expected .* ± .* outside$"):
        expected.y.check(mistaken(x)[name], "y")


def test_a_missing_term_of_the_gradient_is_outside():
    x = np.random.default_rng(0).standard_normal((64, 3)).astype(F)
    w = np.random.default_rng(1).standard_normal((64, 3)).astype(F)
    exact = oracle.gradients(x, np.ones(3), EPS, w)
    enclosure = bounds.batch_norm(x, np.ones(3), np.zeros(3), EPS).gradients(w).x
    assert worst(enclosure, exact.x) < 1e-6
    assert worst(enclosure, exact.x + w.mean(axis=0)) > 100


def test_one_pass_is_admitted_where_it_is_declared():
    x = far(8)
    _, var = one_pass(x)
    gamma, beta = np.ones(x.shape[1]), np.zeros(x.shape[1])
    assert worst(bounds.batch_norm(x, gamma, beta, EPS).var, var) > 100
    assert worst(bounds.batch_norm(x, gamma, beta, EPS, one_pass=True).var, var) < 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bits(dtype: str):
    """Statistics in float32, x and y in 16 bits; an output of float32 is narrower."""
    x = jnp.asarray(inputs(13)[0][:, :100] % 100, dtype)
    state = parameters(100)
    wide = np.asarray(x, F)
    mean, var = wide.mean(axis=0), wide.var(axis=0)
    y = state.gamma * (wide - mean) / np.sqrt(var + F(EPS)) + state.beta
    with np.errstate(over="ignore"):
        rounded = y.astype(x.dtype)
    expected = bounds.batch_norm(x, state.gamma, state.beta, EPS)
    assert worst(expected.y, rounded) < 1
    assert worst(bounds.batch_norm(x, state.gamma, state.beta, EPS, dtype="float32").y, y) < 1
    narrow = bounds.batch_norm(x, state.gamma, state.beta, EPS, dtype=jnp.float32).y
    assert worst(narrow, rounded) > 10


def test_images_are_rows_of_features():
    """With the features along any axis the numbers are those of the flattened batch."""
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(F)
    rows = np.moveaxis(x, 1, -1).reshape(-1, 3)
    gamma, beta = np.array([1.0, 2, -1]), np.array([0.0, 1, 0.5])
    images, flat = (bounds.batch_norm(a, gamma, beta, EPS, axis=i) for a, i in ((x, 1), (rows, -1)))
    assert images.y.value.shape == x.shape
    back = np.moveaxis(images.y.value, 1, -1).reshape(-1, 3)
    np.testing.assert_array_equal(back, flat.y.value)
    w = images.gradients(x)
    np.testing.assert_array_equal(w.gamma.value, flat.gradients(rows).gamma.value)
    assert w.x.error.shape == x.shape


ONE, ZERO = np.ones(2), np.zeros(2)


@pytest.mark.parametrize(
    ("x", "gamma", "keywords", "message"),
    [
        (ONE, ONE, {}, r"x has shape \(2,\): expected \(N, D\)"),
        (np.zeros((0, 2)), ONE, {}, "at least one row"),
        (np.ones((3, 2)), np.ones(3), {}, r"gamma has shape \(3,\): expected \(2,\)"),
        (np.full((3, 2), 0.1), ONE, {}, r"x\[0, 0\] = 0.1 is not a float32 number: pass the array"),
        (np.full((3, 2), np.inf), ONE, {}, "is not finite"),
        (np.full((3, 2), 2.0**60), ONE, {}, "is beyond 1e\\+15"),
        (np.array([["a", "b"]]), ONE, {}, "expected numbers"),
        (np.ones((3, 2)), ONE, {"eps": 0.0}, "eps=0.0: expected a number of at least 1e-16"),
        (np.ones((3, 2)), ONE, {"axis": 2}, "axis=2: x has the axes -2 to 1"),
        (np.ones((3, 2)), ONE, {"dtype": "float64"}, "dtype='float64': expected 'float32'"),
        (np.ones((2**17 + 1, 2), F), ONE, {}, "x has 131073 rows: the bounds are proved up to"),
    ],
)
def test_a_wrong_argument_is_named(x, gamma, keywords, message: str):
    with pytest.raises(ValueError, match=message):
        bounds.batch_norm(x, gamma, ZERO, **{"eps": EPS, **keywords})


def test_a_wrong_shape_and_a_wrong_momentum_are_named():
    found = bounds.batch_norm(np.ones((3, 2)), ONE, ZERO, EPS)
    with pytest.raises(AssertionError, match=r"got the shape \(2, 3\), expected \(3, 2\)"):
        found.y.check(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"cotangent has shape \(3,\): expected that of x"):
        found.gradients(np.ones(3))
    with pytest.raises(ValueError, match=r"momentum=1.5: expected the weight of the old value"):
        bounds.running_average(1.5, ZERO, found.mean)
    with pytest.raises(ValueError, match="a variance is not negative"):
        bounds.batch_norm_inference(np.ones((3, 2)), ONE, ZERO, ZERO, -ONE, EPS)


@pytest.mark.parametrize("module", [bounds, oracle], ids=lambda m: m.__name__)
def test_the_examples_in_docstrings_are_right(module):
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed
