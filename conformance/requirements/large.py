"""Batches as large as those of networks: many rows, and many features."""

from conformance.requirements.requirement import Capability, Requirement

_BLOCKS = "openai/triton#9838, facebookresearch/xformers#785: tails of blocks; uxlfoundation/oneDNN"

ROWS = (
    Requirement(
        id="BN-LARGE-1",
        statement=(
            "Right for many rows: training, the running statistics and evaluation, at sizes next "
            "to powers of two and at those of images, on data whose sums are exact in any order."
        ),
        why=(
            "A layer of images normalises a million positions, where a sum in 16 bits has stopped "
            "growing, a narrow count has wrapped around, and a lost block is a small part."
        ),
        mistakes=(
            "sums or counts in 16 bits",
            "the last block of rows lost, or weighed like a full one",
            "statistics of the first rows only",
            "another formula above some size",
        ),
        grounds="the problem: x has shape (N, D), for any N and D",
        source=f"{_BLOCKS}: benchdnn's data for batch normalization",
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-LARGE-2",
        statement=(
            "Right for many features: training, the running statistics and evaluation, with up to "
            "131 073 features."
        ),
        why="Kernels divide features among blocks as well, and an index of 16 bits ends at 65 535.",
        mistakes=(
            "features beyond the last full block not normalised",
            "an index that wraps around",
            "running statistics of the first features only",
        ),
        grounds="the problem: x has shape (N, D), for any N and D",
        source=_BLOCKS,
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-LARGE-3",
        statement="The gradients are right for many rows, in both modes.",
        formula="dβ = Σ w; dγ = Σ w·z; dx = γ·r·(w − mean(w) − z·mean(w·z)), or γ·r·w",
        needs=Capability.GRAD,
        why="A backward pass has sums and counts as well, and its own kernels.",
        mistakes=(
            "cotangents of the last block left out",
            "sums or counts in 16 bits",
            "divided by the rows of a block",
        ),
        grounds="mathematics: the chain rule through μ and v, for any N",
        source="Ioffe & Szegedy 2015, arXiv:1502.03167, section 3: the chain rule through μ and v",
        transforms=("jax.jit", "jax.vjp", "nnx.split and nnx.merge"),
    ),
)
