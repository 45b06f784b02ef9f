"""TYPE, ND, MASK and SYNC: inputs beyond a float32 batch (N, D), for layers that declare them.

Without a declaration these rows are unsupported. K is the set of the rows that a mask keeps.
"""

from conformance.requirements.model import Capability, Level, Requirement

_CALLED = ("jax.jit", "nnx.split and nnx.merge")
_SPREAD = ("jax.jit", "jax.vmap", "jax.shard_map", "jax.vjp", "nnx.split and nnx.merge")
_PURE = ("jax.jit", "jax.vjp", "nnx.split and nnx.merge")
_FLAX = (
    "flax.nnx.BatchNorm: mask, “the positions for which the mean and variance should be computed”"
)

ROWS = (
    Requirement(
        id="BN-ND-1",
        statement=(
            "On an input of any declared number of axes, with the features on any declared axis, "
            "outputs, running statistics and gradients are those of the input as rows of features: "
            "the statistics are taken over all other axes."
        ),
        formula="rows = moveaxis(x, axis, −1).reshape(−1, D)",
        level=Level.SHOULD,
        needs=Capability.NDIM,
        why="Images and sequences have their features first, last or in the middle.",
        mistakes=(
            "only axis 0 reduced",
            "reshape without a transpose",
            "the axis guessed, or taken for the last",
            "division by the batch instead of all positions",
        ),
        source="Ioffe & Szegedy 2015, arXiv:1502.03167, section 3.2: statistics over all positions",
        transforms=_PURE,
    ),
    Requirement(
        id="BN-MASK-1",
        statement=(
            "Rows that a mask leaves out count for nothing: the running statistics, and the "
            "outputs and gradients of the other rows, are those of a batch of these rows alone; in "
            "evaluation a mask changes nothing."
        ),
        formula="μ = Σ_K x/|K|; v = Σ_K (x−μ)²/|K|; rm' = m·rm + (1−m)·μ, likewise rv",
        level=Level.SHOULD,
        needs=Capability.MASK,
        why="Sequences of unequal length are padded; padding in a mean depends on the batching.",
        mistakes=(
            "the mask ignored",
            "division by N instead of the number of rows kept",
            "masked rows as zeros in the variance",
            "the mask inverted, or broadcast along the features",
            "the number of all rows in the derivative",
        ),
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
        why="Padding is uninitialised memory now and then, and 0·NaN is NaN.",
        mistakes=(
            "rows multiplied by the mask instead of selected",
            "rows selected after the mean was subtracted: 0·NaN in the derivative",
        ),
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
        why="The last batch of an epoch may be padding alone, and NaN stays in an average.",
        mistakes=("0/0 stored in the running statistics",),
        source="Σ_K x/|K| is not defined for an empty K",
        transforms=_PURE,
    ),
    Requirement(
        id="BN-TYPE-1",
        statement=(
            "For an input of 16 bits the statistics, in training and in evaluation, are as "
            "accurate as float32 arithmetic on that input; only gamma·z + beta may be rounded to "
            "the output's 16 bits on its way."
        ),
        formula="|error of y| ≤ that of float32 + u₁₆·(3|γz| + |β| + |y|)",
        level=Level.SHOULD,
        needs=Capability.DTYPES,
        why="Sums of 16 bits lose the variance at any offset, and 65504 is soon exceeded.",
        mistakes=(
            "sums, squares or counts in 16 bits",
            "running statistics rounded to 16 bits in evaluation",
            "eps or momentum rounded to 16 bits",
            "x·s + b in 16 bits",
        ),
        source="flax normalization: statistics are always at least float32 for stability",
        transforms=_CALLED,
    ),
    Requirement(
        id="BN-TYPE-2",
        statement=(
            "For an input of 16 bits the output has the declared dtype in both modes, and the four "
            "arrays keep theirs."
        ),
        level=Level.SHOULD,
        needs=Capability.DTYPES,
        why="A dtype that changes compiles again, breaks scans, and doubles or halves the memory.",
        mistakes=(
            "an output promoted by gamma, or cut to the input's dtype",
            "running statistics that take the dtype of the batch",
        ),
        source="flax normalization: dtype, the dtype of the result",
        transforms=_CALLED,
    ),
    Requirement(
        id="BN-TYPE-3",
        statement=(
            "With 64-bit mode enabled a float64 input is normalised to the accuracy of float64, "
            "with the declared dtypes of the output and the four arrays."
        ),
        level=Level.SHOULD,
        needs=Capability.X64,
        why="Whoever pays for float64 needs it; a single constant in float32 takes half of it.",
        mistakes=("statistics in float32", "eps or r in float32", "state that becomes float64"),
        source="JAX: jax_enable_x64",
        transforms=_CALLED,
    ),
    Requirement(
        id="BN-TYPE-4",
        statement=(
            "For an input of 16 bits that is answered in at least 32, the gradients of gamma and "
            "beta are as accurate as float32 arithmetic on that input; that of x is, too, but for "
            "roundings of its parts and of their sum to the dtype of x."
        ),
        formula="|error of dx| ≤ that of float32 + 7u₁₆·|γ|r(|w| + mean|w| + (|z|+R)mean|wz|)",
        level=Level.SHOULD,
        needs=Capability.DTYPES_GRAD,
        why="Mixed precision is for training, and a gradient summed in 16 bits stops growing.",
        mistakes=(
            "gradients of gamma and beta summed in 16 bits",
            "statistics that are constants for an input of 16 bits",
        ),
        source="flax normalization: statistics are always at least float32 for stability",
        transforms=_PURE,
    ),
    Requirement(
        id="BN-SYNC-1",
        statement=(
            "Over a named axis, of jax.vmap or of several devices under jax.shard_map, the outputs "
            "and the gradients are those of the whole batch, and every shard gets the running "
            "statistics of the whole batch; evaluation shares nothing and needs no axis."
        ),
        formula="μ, v and the sums in dx over the rows of all shards",
        level=Level.SHOULD,
        needs=Capability.SYNC,
        why="Training on several devices is meant to be training on a larger batch.",
        mistakes=(
            "variances of the shards averaged without those of their means",
            "running statistics, or gradients, of a shard alone",
            "a collective in evaluation",
            "a sum where a mean is meant",
        ),
        source="flax normalization: axis_name; NVIDIA apex and PyTorch SyncBatchNorm",
        transforms=_SPREAD,
    ),
    Requirement(
        id="BN-SYNC-2",
        statement=(
            "Where masks leave the shards unequal numbers of rows, each row counts the same: "
            "shards are weighted by their counts."
        ),
        formula="μ = Σ_s Σ_K x/Σ_s |K_s|, likewise v",
        level=Level.SHOULD,
        needs=Capability.MASKED_SYNC,
        why="The last batch is seldom divisible, and padding is not spread evenly.",
        mistakes=("the mean of the means of the shards", "division by all rows of all shards"),
        source="PyTorch SyncBatchNorm: weighted by counts since pytorch/pytorch#22192",
        transforms=_SPREAD,
    ),
    Requirement(
        id="BN-SYNC-3",
        statement=(
            "A shard of which no row is kept leaves the others as they would be without it, and "
            "gets their running statistics."
        ),
        formula="as BN-SYNC-2, with |K_s| = 0 for a shard s",
        level=Level.SHOULD,
        needs=Capability.MASKED_SYNC,
        why="At the end of an epoch some devices get padding alone, and NaN reaches all of them.",
        mistakes=("0/0 of the empty shard, for all shards", "an empty shard that does not update"),
        source="pytorch/pytorch#36530, facebookresearch/detectron2#366",
        transforms=_SPREAD,
    ),
)
