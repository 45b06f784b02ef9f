"""The state of a fresh layer."""

from conformance.requirements.requirement import Level, Requirement

_PAPER = "Ioffe & Szegedy 2015, arXiv:1502.03167"
_PAIRED = "running_mean and running_var start as the statistics of a standard normal input"

ROWS = (
    Requirement(
        id="BN-INIT-1",
        statement="gamma of a fresh layer is exactly ones, of shape (D,).",
        formula="γ = 1",
        why="Any other gain changes the scale of every activation before the first step.",
        mistakes=(
            "zeros, from the zero-gamma recipe for residual branches",
            "random values from a generic weight initialiser",
            "one number for all features instead of one per feature",
        ),
        grounds="the problem: gamma is ones, of shape (D,)",
        source=f"{_PAPER}, §3: the pair (γ, β) can represent the identity",
    ),
    Requirement(
        id="BN-INIT-2",
        statement="beta of a fresh layer is exactly zeros, of shape (D,).",
        formula="β = 0",
        why="A fresh layer must not move the activations; small noise here hides in tolerances.",
        mistakes=(
            "a tiny constant or noise 'to break symmetry'",
            "the initialisers of gamma and beta exchanged",
        ),
        grounds="the problem: beta is zeros, of shape (D,)",
        source=f"{_PAPER}, §3",
    ),
    Requirement(
        id="BN-INIT-3",
        statement="running_mean of a fresh layer is exactly zeros, of shape (D,).",
        formula="rm = 0",
        why="The first evaluation subtracts it, before any batch was seen.",
        mistakes=("ones, copied from the line for running_var", "uninitialised memory"),
        grounds="the problem: running_mean is zeros, of shape (D,)",
        source=_PAIRED,
    ),
    Requirement(
        id="BN-INIT-4",
        statement="running_var of a fresh layer is exactly ones, of shape (D,).",
        formula="rv = 1",
        why=(
            "A variance of zero makes the very first evaluation divide by √ε: with ε = 1e-5 "
            "every output is 316 times too large."
        ),
        mistakes=("zeros, by symmetry with running_mean", "ε instead of one"),
        grounds="the problem: running_var is ones, of shape (D,), not zeros",
        source=_PAIRED,
    ),
    Requirement(
        id="BN-INIT-5",
        statement="All four arrays are float32 unless the implementation declares another dtype.",
        level=Level.SHOULD,
        why="Statistics in half precision stop moving once momentum is close to one.",
        mistakes=(
            "float16 or bfloat16 statistics, following the activations",
            "integer zeros from jnp.zeros(d, int)",
            "float64 from NumPy defaults",
        ),
        grounds=(
            "left open: the problem gives values and shapes, and no dtype; accuracy is "
            "judged by the equations"
        ),
        source="flax.nnx.BatchNorm: param_dtype and statistics default to float32",
    ),
    Requirement(
        id="BN-INIT-6",
        statement="A fresh layer is identical for every seed: nothing in it is random.",
        why="Ones and zeros need no randomness; a difference shows an initialiser that draws.",
        mistakes=("a random gamma or beta", "a start value derived from the seed"),
        grounds="mathematics: ones and zeros do not depend on a seed",
        source="follows from BN-INIT-1 to BN-INIT-4",
    ),
    Requirement(
        id="BN-INIT-7",
        statement=(
            "Construction runs no training step, and the four arrays exist before the first call."
        ),
        why=(
            "A dummy batch pushed through at construction leaves its statistics behind; arrays "
            "that appear at the first call are missed by optimisers and checkpoints."
        ),
        mistakes=(
            "tracing a dummy batch in training mode to find shapes",
            "lazy arrays, in the style of frameworks that infer the feature count",
        ),
        grounds="the problem: the constructor knows D, and what it makes holds zeros and ones",
        source="google/flax#1254: statistics were updated during initialisation",
    ),
    Requirement(
        id="BN-INIT-8",
        statement=(
            "The momentum and eps given to the constructor are the ones used, for any momentum "
            "in [0, 1] and any normal eps > 0."
        ),
        why="A value that is replaced, clipped or rounded on the way in trains another network.",
        mistakes=(
            "`momentum or 0.9`, which replaces an exact 0",
            "eps clamped to 1.001e-5 or hard-coded",
            "momentum rounded, clipped to an open interval, or stored in bfloat16",
        ),
        grounds=(
            "the problem: momentum and eps are arguments of the constructor, and stand in "
            "the equations"
        ),
        source="constructor (d, momentum, eps, rngs)",
    ),
)
