"""The layer under jit."""

from conformance.requirements.requirement import Capability, Level, Requirement

_EITHER_JIT = "nnx.jit or jax.jit"
_JIT = "flax NNX: nnx.jit propagates Variable updates out of the compiled function"

ROWS = (
    Requirement(
        id="BN-JIT-1",
        statement="Under jit y and the new state are right, in both modes.",
        needs=Capability.TRANSFORMS,
        why="The compiled layer is the one that trains; eager execution is for looking at it.",
        mistakes=("Python branches on values", "NumPy inside the layer", "a trace-time constant"),
        grounds=(
            "the problem: the layer works under nnx.jit; mathematics: compiling changes no value"
        ),
        source=_JIT,
        transforms=(_EITHER_JIT,),
    ),
    Requirement(
        id="BN-JIT-2",
        statement="Updates leave the jitted function: n calls with different batches are n steps.",
        needs=Capability.TRANSFORMS,
        why="An update of a plain attribute happens once, while tracing, and never again.",
        mistakes=("statistics outside Variables", "an inner jit whose state update is dropped"),
        grounds=("the problem: the layer works under nnx.jit, and each training call updates once"),
        source=_JIT,
        transforms=(_EITHER_JIT,),
    ),
    Requirement(
        id="BN-JIT-3",
        on_word=True,
        statement=(
            "One trace per shape and mode over repeated calls; switching modes on one shape "
            "gives each mode its own result."
        ),
        level=Level.SHOULD,
        needs=Capability.TRANSFORMS,
        why="A layer that changes its static part at each call compiles at each call.",
        mistakes=("a Python counter on the module", "a dtype that changes with each update"),
        grounds="left open: a program that is compiled again is slow, and right",
        source="jax.jit: compiled code is kept per shape, dtype and static argument",
        transforms=(_EITHER_JIT,),
    ),
    Requirement(
        id="BN-JIT-4",
        statement=(
            "Nothing is baked in: after a change of the statistics or of gamma and beta, the same "
            "jitted function gives the result of the change."
        ),
        needs=Capability.TRANSFORMS,
        why="A value that was read while tracing is a constant of the program for ever after.",
        mistakes=("values captured while tracing", "folded scale and shift kept between calls"),
        grounds=(
            "the problem: the layer works under nnx.jit, and uses the values that its "
            "Variables hold"
        ),
        source=_JIT,
        transforms=(_EITHER_JIT,),
    ),
    Requirement(
        id="BN-JIT-5",
        on_word=True,
        statement="No tracer escapes: after a transform the layer holds values and can be called.",
        level=Level.SHOULD,
        needs=Capability.NNX,
        why="A tracer kept on the module breaks the next call, far from the cause.",
        mistakes=("an intermediate kept as an attribute", "a global list or cache of arrays"),
        grounds="left open: what a layer keeps of a trace for itself changes no value",
        source="JAX: UnexpectedTracerError; nothing may refer to a tracer after its trace",
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-JIT-6",
        statement="jax.jit of the layer as a pure function of its state is right.",
        formula="(y, state') = jit(call)(state, x)",
        needs=Capability.TRANSFORMS,
        why="Training loops outside NNX take modules apart and put them together.",
        mistakes=("state outside Variables", "values kept in the graph definition"),
        grounds=("the problem: nnx.split carries the whole state, and jit is applied to the layer"),
        source="flax NNX: the functional API, nnx.split and nnx.merge; pure layers have no other",
        transforms=("jax.jit", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-JIT-7",
        statement="Donating the state to the jitted function works, call after call.",
        level=Level.SHOULD,
        needs=Capability.NNX,
        why="Large models train with donated state, which leaves no copy to fall back on.",
        mistakes=("two leaves in one buffer", "a reference kept to an old array"),
        grounds="left open: the problem does not speak of donation",
        source="JAX: buffer donation, donate_argnums",
        transforms=("nnx.jit", "donation"),
    ),
)
