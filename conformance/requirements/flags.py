"""How the mode is chosen, and the forward function that takes seed, x and flag."""

from conformance.requirements.requirement import Capability, Level, Requirement

_HARNESS = "batchnorm_forward(seed, x, use_running_average): seed and flag arrive as floats"

ROWS = (
    Requirement(
        id="BN-FLAG-1",
        statement=(
            "Every encoding of the flags 0 and 1 selects the right mode: Python bool, int and "
            "float, NumPy and JAX scalars, 0-d arrays."
        ),
        formula="evaluate if flag >= 0.5 else train",
        needs=Capability.FORWARD,
        why="Flags travel through configuration files, arrays and other languages as floats.",
        mistakes=("`flag is True`", "the two modes exchanged", "the flag ignored"),
        grounds=(
            "the problem: the flag selects the mode; flag encodings are generated, and 0 "
            "and 1 are its values"
        ),
        source=_HARNESS,
    ),
    Requirement(
        id="BN-FLAG-2",
        statement="Between the encodings: .3 trains, .5 and .9 evaluate, -1 trains.",
        formula="evaluate if flag >= 0.5 else train",
        level=Level.SHOULD,
        needs=Capability.FORWARD,
        why="A float is not a truth value: bool(0.3) is True, round(0.5) is 0.",
        mistakes=("truthiness of the float", "round()", "int()", "a blend of the two modes"),
        grounds=(
            "left open: the problem passes 0 and 1 only, and int(flag) or flag == 1 read "
            "them as well"
        ),
        source=_HARNESS,
    ),
    Requirement(
        id="BN-FLAG-3",
        statement="The layer accepts True and False: True evaluates, False trains.",
        why="The two modes under each other's name pass every shape test.",
        mistakes=("`training` and `use_running_average` confused", "the flag ignored"),
        grounds=(
            "the problem: layer(x, use_running_average), False for training and True for evaluation"
        ),
        source="layer(x, use_running_average)",
    ),
    Requirement(
        id="BN-FLAG-4",
        statement="The layer also accepts np.bool_ and exact 0 and 1 as its flag.",
        level=Level.SHOULD,
        why="Comparisons of NumPy values yield np.bool_, and loaded configurations yield ints.",
        mistakes=("`flag is True`", "isinstance(flag, bool) checks that fall through"),
        grounds="left open: the forward function of the problem hands a bool to the layer",
        source="layer(x, use_running_average)",
    ),
    Requirement(
        id="BN-FLAG-5",
        statement=(
            "The flag of a call decides, whatever mode the module was put in: after "
            "nnx.Module.eval a training call still trains, and after nnx.Module.train an "
            "evaluation evaluates."
        ),
        needs=Capability.NNX,
        why="Fine-tuning with some layers frozen mixes modes; the argument is the last word.",
        mistakes=("the attribute set by module.eval() wins", "either of the two evaluates"),
        grounds="the problem: the argument of the call is the mode",
        source="flax NNX: Module.train and Module.eval; nnx.BatchNorm prefers the argument",
    ),
    Requirement(
        id="BN-FLAG-6",
        statement="The layer may take a flag that is NaN, or .3, for either mode, or refuse it.",
        level=Level.MAY,
        why="bool(nan) is True and nan >= 0.5 is False: a missing value selects a mode silently.",
        grounds="left open: the forward function of the problem hands a bool to the layer",
        source="layer(x, use_running_average)",
    ),
    Requirement(
        id="BN-FLAG-7",
        statement="The forward function may take a flag that is NaN for either mode, or refuse it.",
        level=Level.MAY,
        needs=Capability.FORWARD,
        why="bool(nan) is True and nan >= 0.5 is False: a missing value selects a mode silently.",
        grounds="left open: the problem passes 0 and 1 only",
        source=_HARNESS,
    ),
    Requirement(
        id="BN-FLAG-8",
        statement="A compiled call may need its flag as a Python value, or take a traced one.",
        formula="jit(lambda layer, x, flag: layer(x, flag))",
        level=Level.MAY,
        needs=Capability.TRANSFORMS,
        why="One program for both modes needs a flag that is traced; `if` needs one that is not.",
        grounds="left open: the problem says nothing of compilation",
        source="JAX: control flow in Python and traced values",
        transforms=("nnx.jit or jax.jit",),
    ),
    Requirement(
        id="BN-FWD-1",
        statement="The forward function returns a 1-D array of length N·D in row-major order.",
        formula="out[i·D + j] = y[i, j]",
        needs=Capability.FORWARD,
        why="The caller has only this order to find its numbers again.",
        mistakes=("the 2-D array returned", "column-major flattening", "squeezing only"),
        grounds="the problem: the result comes back flattened, (N·D,)",
        source=_HARNESS,
    ),
    Requirement(
        id="BN-FWD-2",
        statement=(
            "With a training flag the result is that of a fresh layer in training, with "
            "momentum 0.9 and eps 1e-5."
        ),
        formula="y = (x−μ)/√(v+1e-5)",
        needs=Capability.FORWARD,
        why="The function is the layer, seen through plain numbers.",
        mistakes=("the modes exchanged", "another eps", "statistics over the wrong axis"),
        grounds="the problem: a fresh layer with momentum 0.9 and eps 1e-5 is applied to x",
        source=_HARNESS,
    ),
    Requirement(
        id="BN-FWD-3",
        statement="With an evaluation flag the result is that of a fresh layer in evaluation.",
        formula="y = x/√(1+1e-5)",
        needs=Capability.FORWARD,
        why="A fresh layer has seen no batch; statistics left over from training show here.",
        mistakes=("a training step before evaluating", "a layer cached between calls"),
        grounds="the problem: a fresh layer with momentum 0.9 and eps 1e-5 is applied to x",
        source=_HARNESS,
    ),
    Requirement(
        id="BN-FWD-4",
        statement="The seed arrives as a float, is cast by int, and does not change the result.",
        needs=Capability.FORWARD,
        why="nnx.Rngs refuses floats, and nothing in the layer is random.",
        mistakes=("the float passed on to nnx.Rngs", "an initialiser that draws"),
        grounds=(
            "the problem: the seed arrives as a float and is cast by int; mathematics: "
            "nothing in the result depends on it"
        ),
        source=_HARNESS,
    ),
    Requirement(
        id="BN-FWD-5",
        statement=(
            "The function has no memory: its result is right whatever was called before, and x is "
            "left untouched."
        ),
        needs=Capability.FORWARD,
        why="Each call builds its own layer.",
        mistakes=("a layer cached per shape or per seed", "in-place arithmetic on a NumPy input"),
        grounds="the problem: a fresh layer at each call",
        source=_HARNESS,
    ),
    Requirement(
        id="BN-FWD-6",
        statement=(
            "The forward function is right for every N and D, including N = 1, D = 1, N = D, every "
            "size next to a block boundary from 8 to 1024, and some thousands of rows."
        ),
        formula="y = (x−μ)/√(v+1e-5), μ and v over all N rows",
        needs=Capability.FORWARD,
        why="A function sees batches of any size, and a mistake may begin at any of them.",
        mistakes=(
            "statistics of the first 256 rows",
            "rows beyond the last full block ignored",
            "a table or a buffer of a fixed size",
        ),
        grounds="the problem: x has shape (N, D), for any N and D",
        source=_HARNESS,
    ),
    Requirement(
        id="BN-FWD-7",
        statement=(
            "Rows in another order give the same results in that order, also where the function "
            "was called with the original order just before."
        ),
        formula="f(seed, P·x, flag) = P·f(seed, x, flag) for every permutation P of the rows",
        needs=Capability.FORWARD,
        why="All sums over a batch are equal in any order, so a result must not be found by them.",
        mistakes=("a memory keyed by the sums of the columns", "rows sorted and not put back"),
        grounds="mathematics: a mean does not depend on the order of what it is taken over",
        source="follows from BN-FWD-2 and BN-FWD-3",
    ),
    Requirement(
        id="BN-FWD-8",
        statement=(
            "Repeated calls with batches that resemble each other give each its own result: "
            "one element changed, two rows moved against each other, the sign reversed, the same "
            "array filled anew, in either mode."
        ),
        needs=Capability.FORWARD,
        why="Memories have keys that are meant to tell batches apart, and some do not.",
        mistakes=(
            "a memory keyed by the identity of the array",
            "a memory keyed by the first row, the shape or the printed form",
            "a result buffer that is written once",
        ),
        grounds="the problem: a fresh layer at each call, applied to x",
        source="follows from BN-FWD-2, BN-FWD-3 and BN-FWD-5",
    ),
    Requirement(
        id="BN-FWD-9",
        statement="NumPy and JAX inputs, contiguous or not, give the forward function's result.",
        level=Level.SHOULD,
        needs=Capability.FORWARD,
        why="Code that looks at the type of x treats arrays of NumPy and of JAX apart.",
        mistakes=("a separate NumPy path", "memory read past its strides"),
        grounds="left open: the problem does not say in which container x arrives",
        source="jax.numpy accepts both",
    ),
    Requirement(
        id="BN-FWD-10",
        statement=(
            "The same x and flag give an identical result, whatever the seed is and whatever was "
            "called before."
        ),
        formula="f(seed, x, flag) = f(0, x, flag), bit for bit",
        level=Level.SHOULD,
        needs=Capability.FORWARD,
        why="Results that are equal up to rounding cannot be compared by a checksum.",
        mistakes=("a seed that enters the last digits", "dithering or noise"),
        grounds="left open: equal up to rounding is all that the equations say",
        source=_HARNESS,
    ),
)
