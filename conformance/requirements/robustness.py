"""Determinism, numerical range, shapes and containers, invalid input."""

from conformance.requirements.requirement import Level, Requirement

ROWS = (
    Requirement(
        id="BN-IND-1",
        statement="Deterministic: same state and same input give an identical output.",
        level=Level.SHOULD,
        why="Without it no failure can be reproduced.",
        mistakes=("stochastic rounding", "a call counter that enters the result"),
        grounds="left open: sums in another order are as right, and differ in their last bits",
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
        grounds=(
            "the problem: its equations contain the four arrays, x, momentum and eps, and "
            "nothing else"
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
        grounds=(
            "the problem: a call rebinds two Variables to new arrays, and writes nothing else"
        ),
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
        grounds="the problem: v = mean((x−μ)²); mathematics: what float32 loses in that",
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
        grounds=(
            "mathematics: the equations hold at every scale, up to what float32 loses in them"
        ),
        source="follows from BN-TRAIN-1",
    ),
    Requirement(
        id="BN-NUM-3",
        statement=(
            "No clipping, and no rounding of intermediates: outliers, zeros, integers and large "
            "values go through."
        ),
        why="A guard that hides bad data hides it from the person who must find it.",
        mistakes=("z clipped to ±k", "outliers left out", "intermediates in bfloat16"),
        grounds="the problem: its equations contain no clipping and no rounding",
        source="follows from BN-TRAIN-1 and BN-EVAL-1",
    ),
    Requirement(
        id="BN-NUM-4",
        statement=(
            "A NaN or an infinity stays where it is: in training in its feature, in evaluation in "
            "its element, where nothing is written; and a NaN is not replaced."
        ),
        level=Level.SHOULD,
        why="One broken sensor must not blank the whole layer, and must not be hidden either.",
        mistakes=(
            "a global isfinite guard",
            "nan_to_num",
            "the modes blended by f·a + (1−f)·b, where 0·NaN is NaN",
        ),
        grounds="left open: the equations are about numbers, and NaN and infinity are none",
        source="the arithmetic of IEEE 754 in BN-TRAIN-1 and BN-EVAL-1",
    ),
    Requirement(
        id="BN-NUM-5",
        statement="The running statistics may keep a NaN of an earlier batch, or be free of it.",
        level=Level.MAY,
        why="One bad batch spoils all later evaluations, unless the layer leaves it out.",
        grounds="left open: the equations are about numbers, and NaN is none",
        source="BN-NUM-4, over several calls",
    ),
    Requirement(
        id="BN-NUM-6",
        statement="Where squares of x overflow float32, y and the statistics may be anything.",
        formula="|x| > √(2¹²⁸) ≈ 1.8e19",
        level=Level.MAY,
        why="An infinite variance gives y = β, which looks healthy; another formula gives NaN.",
        grounds="left open: the variance is beyond the numbers of float32",
        source="the range of IEEE 754 binary32",
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
        grounds="the problem: x has shape (N, D), for any N and D",
        source="openai/triton#9838, facebookresearch/xformers#785: tails of blocks",
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-SHAPE-2",
        statement="NumPy and JAX inputs, contiguous or not, give the same result.",
        level=Level.SHOULD,
        why="Data loaders hand out NumPy views; code that looks at the type treats them apart.",
        mistakes=("a separate NumPy path", "memory read past its strides"),
        grounds="left open: the problem does not say in which container x arrives",
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
        grounds="left open: the problem gives the values of y, and no dtype",
        source="flax.nnx.BatchNorm: the dtype of y follows from those of x and the arrays",
    ),
    Requirement(
        id="BN-SHAPE-4",
        statement="A batch without rows may be refused, or leave any running statistics.",
        formula="x of shape (0, D)",
        level=Level.MAY,
        why="A filter may leave nothing of the last batch, and NaN stays in an average.",
        grounds="left open: the mean of no rows is not defined",
        source="numpy.mean of an empty array is NaN",
    ),
    Requirement(
        id="BN-SHAPE-5",
        statement="An input without an axis for rows may be refused, or taken in any way.",
        formula="x of shape (D,)",
        level=Level.MAY,
        why="A single example without its batch axis broadcasts, with a mean over its features.",
        grounds="left open: in the problem x has the shape (N, D)",
        source="the broadcasting rules of NumPy",
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
        grounds="left open: the problem does not say what becomes of an x of another width",
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
        grounds="left open: the problem does not say what becomes of an x of another width",
        source="follows from BN-STATE-5; flax.nnx.BatchNorm reshapes gamma after the update",
    ),
)
