"""Statistics shared over a named axis."""

from conformance.requirements.requirement import Capability, Level, Requirement

_SPREAD = ("jax.jit", "jax.vmap", "jax.shard_map", "jax.vjp", "nnx.split and nnx.merge")

ROWS = (
    Requirement(
        id="BN-SYNC-1",
        statement=(
            "Over a named axis, of jax.vmap or of several devices under jax.shard_map, the outputs "
            "and the gradients are those of the whole batch, and every shard gets the running "
            "statistics of the whole batch; evaluation shares nothing and needs no axis."
        ),
        formula="μ, v and the sums in dx over the rows of all shards",
        needs=Capability.SYNC,
        why=(
            "Training on several devices is meant to be training on a larger batch. MUST, because "
            "statistics that are offered as shared have the values of that batch."
        ),
        mistakes=(
            "variances of the shards averaged without those of their means",
            "running statistics, or gradients, of a shard alone",
            "a collective in evaluation",
            "a sum where a mean is meant",
        ),
        grounds=(
            "declared: statistics shared over an axis; mathematics: the equations over all its rows"
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
        formula="μ = Σ_s Σ_K x/Σ_s |K_s|; v = Σ_s Σ_K (x−μ)²/Σ_s |K_s|",
        needs=Capability.MASKED_SYNC,
        why=(
            "The last batch is seldom divisible, and padding is not spread evenly. MUST, because "
            "of a mask and a named axis together, each promises the statistics of all rows kept."
        ),
        mistakes=("the mean of the means of the shards", "division by all rows of all shards"),
        grounds=(
            "declared: a mask and a shared axis; mathematics: the equations over all rows "
            "that count"
        ),
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
        why=(
            "At the end of an epoch some devices get padding alone, and NaN reaches all of them. "
            "SHOULD, because a shard's mean of no rows is as undefined as in BN-MASK-3."
        ),
        mistakes=("0/0 of the empty shard, for all shards", "an empty shard that does not update"),
        grounds="left open: the mean of no rows is not defined",
        source="pytorch/pytorch#36530, facebookresearch/detectron2#366",
        transforms=_SPREAD,
    ),
)
