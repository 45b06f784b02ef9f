"""Inputs of 16 and of 64 bits."""

from conformance.requirements.requirement import Capability, Level, Requirement

_CALLED = ("jax.jit", "nnx.split and nnx.merge")
_PURE = ("jax.jit", "jax.vjp", "nnx.split and nnx.merge")

ROWS = (
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
        why=("Sums of 16 bits lose the variance at any offset, and 65504 is soon exceeded."),
        mistakes=(
            "sums, squares or counts in 16 bits",
            "running statistics rounded to 16 bits in evaluation",
            "eps or momentum rounded to 16 bits",
            "x·s + b in 16 bits",
        ),
        grounds="left open: in arithmetic of 16 bits the equations are the same",
        source="flax normalization: statistics are always at least float32 for stability",
        transforms=_CALLED,
    ),
    Requirement(
        id="BN-TYPE-2",
        statement=(
            "For an input of 16 bits the output has the declared dtype in both modes, and the four "
            "arrays keep theirs."
        ),
        needs=Capability.DTYPES,
        why=(
            "A dtype that changes compiles again, breaks scans, and doubles or halves the memory. "
            "MUST, because the dtypes are those that the layer declares."
        ),
        mistakes=(
            "an output promoted by gamma, or cut to the input's dtype",
            "running statistics that take the dtype of the batch",
        ),
        grounds="declared: the dtypes of the output and of the arrays",
        source="flax normalization: dtype, the dtype of the result",
        transforms=_CALLED,
    ),
    Requirement(
        id="BN-TYPE-3",
        statement=(
            "With 64-bit mode enabled a float64 input is normalised to the accuracy of float64, "
            "with the declared dtypes of the output and the four arrays."
        ),
        needs=Capability.X64,
        why=(
            "Whoever pays for float64 needs it; a single constant in float32 takes half of it. "
            "MUST, because a layer that offers float64 promises its digits."
        ),
        mistakes=("statistics in float32", "eps or r in float32", "state that becomes float64"),
        grounds=("declared: inputs of float64; mathematics: what float64 loses in the equations"),
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
        why=("Mixed precision is for training, and a gradient summed in 16 bits stops growing."),
        mistakes=(
            "gradients of gamma and beta summed in 16 bits",
            "statistics that are constants for an input of 16 bits",
        ),
        grounds="left open: in arithmetic of 16 bits the derivatives are the same",
        source="flax normalization: statistics are always at least float32 for stability",
        transforms=_PURE,
    ),
    Requirement(
        id="BN-TYPE-5",
        statement="An int32 input may be refused, or give y of any dtype.",
        level=Level.MAY,
        why="Images arrive as integers, and arithmetic that stays in them gives zeros.",
        grounds="left open: the problem says nothing of dtypes",
        source="the type promotion of JAX",
    ),
    Requirement(
        id="BN-TYPE-6",
        statement="A bool input may be refused, or give y of any dtype.",
        level=Level.MAY,
        why="Indicators arrive as bool, of which the sum is `or` and the difference an error.",
        grounds="left open: the problem says nothing of dtypes",
        source="the type promotion of JAX",
    ),
    Requirement(
        id="BN-TYPE-7",
        statement="A complex64 input may be refused, cut to its real part, or taken in any way.",
        level=Level.MAY,
        why="The mean of (x−μ)² is not a complex variance, and a cast drops half of x.",
        grounds="left open: the problem says nothing of dtypes",
        source="Trabelsi et al. 2018, arXiv:1705.09792: complex batch normalization",
    ),
)
