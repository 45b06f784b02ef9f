"""Determinism, numerical range, shapes and containers, invalid input."""

from conformance.requirements.requirement import Level, Requirement

ROWS = (
    Requirement(
        id="BN-IND-1",
        statement="Deterministic: same state and same input give an identical output.",
        why="Without it no failure can be reproduced.",
        mistakes=("stochastic rounding", "a call counter that enters the result"),
        source="follows from BN-TRAIN-1 and BN-EVAL-1",
    ),
    Requirement(
        id="BN-IND-2",
        statement=(
            "Nothing but state, x and flag matters: not the number of earlier calls, not other "
            "instances, not the global random state."
        ),
        why="Everything a layer remembers must be in its four arrays.",
        mistakes=(
            "a cache keyed on shape, on identity or on the first batch",
            "class attributes shared by all instances",
            "numpy.random in a call",
        ),
        source="follows from BN-TRAIN-1, BN-EMA-1 and BN-EVAL-1",
    ),
    Requirement(
        id="BN-IND-3",
        statement=(
            "The input array is never modified; earlier results and snapshots never change later."
        ),
        why="The caller still owns what it passed in and what it got back.",
        mistakes=("x -= mean on a NumPy input", "an output buffer that is reused"),
        source="JAX arrays are immutable, NumPy arrays are not",
    ),
    Requirement(
        id="BN-NUM-1",
        statement=(
            "Mean, variance, y and the running statistics stay inside the two-pass error bound "
            "for offsets up to 1e4 standard deviations."
        ),
        formula="|error| ≤ bound for |μ|/σ ≤ 1e4",
        why="E[x²] − E[x]² loses all digits of the variance at offsets where two passes lose none.",
        mistakes=("the one-pass variance", "sums accumulated in half precision"),
        source="Chan, Golub & LeVeque 1983, Algorithms for computing the sample variance",
    ),
    Requirement(
        id="BN-NUM-2",
        statement=(
            "Tiny variance, large variance and very different scales side by side are exact to "
            "the bound."
        ),
        why="Features of one layer may differ by many orders of magnitude.",
        mistakes=("a floor or a cap on the variance", "one scale for all features"),
        source="follows from BN-TRAIN-1",
    ),
    Requirement(
        id="BN-NUM-3",
        statement=(
            "No clipping, no rounding of intermediates, no replacement of NaN: outliers, zeros, "
            "integers, large values and NaN go through."
        ),
        why="A guard that hides bad data hides it from the person who must find it.",
        mistakes=("z clipped to ±k", "nan_to_num", "intermediates in bfloat16"),
        source="follows from BN-TRAIN-1 and BN-EVAL-1",
    ),
    Requirement(
        id="BN-SHAPE-1",
        statement=(
            "Right for every N and D, including N = 1, D = 1, N = D, and every size next to a "
            "block boundary from 8 to 1024."
        ),
        why="Kernels work in blocks, and mistakes live in the last, partial one.",
        mistakes=(
            "rows beyond the last full block ignored",
            "padding counted in the variance",
            "lanes beyond the block width not written",
        ),
        source="openai/triton#9838, facebookresearch/xformers#785: tails of blocks",
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-SHAPE-2",
        statement="NumPy and JAX inputs, contiguous or not, give the same result.",
        level=Level.SHOULD,
        why="Data loaders hand out NumPy views; code that looks at the type treats them apart.",
        mistakes=("a separate NumPy path", "memory read past its strides"),
        source="jax.numpy accepts both",
    ),
    Requirement(
        id="BN-SHAPE-3",
        statement=(
            "y has the shape of x, and is float32 unless the implementation declares another "
            "dtype, in both modes."
        ),
        level=Level.SHOULD,
        why="A float64 that slips in doubles the memory, and the next layer may refuse it.",
        mistakes=("a constant in float64", "an output left in the dtype of the arithmetic"),
        source="flax.nnx.BatchNorm: the dtype of y follows from those of x and the arrays",
    ),
    Requirement(
        id="BN-ERR-1",
        statement=(
            "An input with another number of features, one that cannot broadcast either, raises, "
            "and the state is as before."
        ),
        level=Level.SHOULD,
        why="A wrong shape that passes is found weeks later, and a half-made update never.",
        mistakes=(
            "features beyond the known ones ignored",
            "state allocated anew for the width of the input",
            "running statistics moved before the shapes are looked at",
        ),
        source="follows from BN-STATE-5: a call that raises has moved nothing",
    ),
    Requirement(
        id="BN-ERR-2",
        statement=(
            "A layer of several features may broadcast an input of a single one; if it raises, the "
            "state is as before."
        ),
        level=Level.SHOULD,
        why="One feature fits the update and not the output: the error comes after the update.",
        mistakes=(
            "running statistics moved before the shapes are looked at",
            "a shape check between the update and the output",
        ),
        source="follows from BN-STATE-5; flax.nnx.BatchNorm reshapes gamma after the update",
    ),
)
