"""Inputs with more than two axes."""

from conformance.requirements.requirement import Capability, Requirement

_PURE = ("jax.jit", "jax.vjp", "nnx.split and nnx.merge")

ROWS = (
    Requirement(
        id="BN-ND-1",
        statement=(
            "On an input of any declared number of axes, with the features on any declared axis, "
            "outputs, running statistics and gradients are those of the input as rows of features: "
            "the statistics are taken over all other axes."
        ),
        formula="rows = moveaxis(x, axis, −1).reshape(−1, D)",
        needs=Capability.NDIM,
        why=(
            "Images and sequences have their features first, last or in the middle. MUST, because "
            "an axis that is offered promises the values that its features have as rows."
        ),
        mistakes=(
            "only axis 0 reduced",
            "reshape without a transpose",
            "the axis guessed, or taken for the last",
            "division by the batch instead of all positions",
        ),
        grounds=(
            "declared: an input of several axes; mathematics: the same equations over all positions"
        ),
        source="Ioffe & Szegedy 2015, arXiv:1502.03167, section 3.2: statistics over all positions",
        transforms=_PURE,
    ),
)
