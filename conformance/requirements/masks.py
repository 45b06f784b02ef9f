"""Batches with masked rows."""

from conformance.requirements.requirement import Capability, Level, Requirement

_PURE = ("jax.jit", "jax.vjp", "nnx.split and nnx.merge")
_FLAX = (
    "flax.nnx.BatchNorm: mask, “the positions for which the mean and variance should be computed”"
)

ROWS = (
    Requirement(
        id="BN-MASK-1",
        statement=(
            "Rows that a mask leaves out count for nothing: the running statistics, and the "
            "outputs and gradients of the other rows, are those of a batch of these rows alone; in "
            "evaluation a mask changes nothing."
        ),
        formula="μ = Σ_K x/|K|; v = Σ_K (x−μ)²/|K|; rm' = m·rm + (1−m)μ; rv' = m·rv + (1−m)v",
        needs=Capability.MASK,
        why=(
            "Sequences of unequal length are padded; padding in a mean depends on the batching. "
            "MUST, because a mask that is offered promises the statistics of the rows that count."
        ),
        mistakes=(
            "the mask ignored",
            "division by N instead of the number of rows kept",
            "masked rows as zeros in the variance",
            "the mask inverted, or broadcast along the features",
            "the number of all rows in the derivative",
        ),
        grounds="declared: a mask; mathematics: the same equations over the rows that count",
        source=_FLAX,
        transforms=_PURE,
    ),
    Requirement(
        id="BN-MASK-2",
        statement=(
            "NaN, infinity and numbers beyond float32 once squared, in a masked row, reach neither "
            "the running statistics nor the output of other rows nor, where the loss leaves the "
            "row out, the gradients of gamma, beta and the other rows."
        ),
        formula="with w = 0 outside K: dx_K, dγ, dβ = those of the batch x_K",
        level=Level.SHOULD,
        needs=Capability.MASK,
        why=(
            "Padding is uninitialised memory now and then, and 0·NaN is NaN. SHOULD, because "
            "documentation says where statistics are taken, and is silent on what padding may hold."
        ),
        mistakes=(
            "rows multiplied by the mask instead of selected",
            "rows selected after the mean was subtracted: 0·NaN in the derivative",
        ),
        grounds="left open: a mask does not say what may stand in the rows that it leaves out",
        source="jax.numpy.where, and the JAX FAQ: gradients contain NaN where using where",
        transforms=_PURE,
    ),
    Requirement(
        id="BN-MASK-3",
        statement=(
            "A training call on a batch of which no row is kept leaves all four arrays finite, "
            "and the layer as usable as before."
        ),
        level=Level.SHOULD,
        needs=Capability.MASK,
        why=(
            "The last batch of an epoch may be padding alone, and NaN stays in an average. SHOULD, "
            "because a mean of no rows is not defined, and documentation is silent on it."
        ),
        mistakes=("0/0 stored in the running statistics",),
        grounds="left open: the mean of no rows is not defined",
        source="Σ_K x/|K| is not defined for an empty K",
        transforms=_PURE,
    ),
    Requirement(
        id="BN-MASK-4",
        statement=(
            "A mask that is not boolean may be refused, taken as weights, or as true where it is "
            "not 0."
        ),
        level=Level.MAY,
        needs=Capability.MASK,
        why="Weights of samples look like a mask, and count as rows without an error.",
        grounds="left open: a mask that is declared says which rows count, and no more",
        source="the `where` argument of jax.numpy.mean is boolean",
    ),
)
