"""JIT and VMAP: the layer under the transforms of NNX."""

from conformance.requirements.model import Capability, Level, Requirement

_JIT = "flax NNX: nnx.jit propagates Variable updates out of the compiled function"

ROWS = (
    Requirement(
        id="BN-JIT-1",
        statement="Under nnx.jit y and the new state are right, in both modes.",
        level=Level.MUST,
        needs=Capability.NNX,
        why="The compiled layer is the one that trains; eager execution is for looking at it.",
        mistakes=("Python branches on values", "NumPy inside the layer", "a trace-time constant"),
        source=_JIT,
    ),
    Requirement(
        id="BN-JIT-2",
        statement="Updates leave the jitted function: n calls with different batches are n steps.",
        level=Level.MUST,
        needs=Capability.NNX,
        why="An update of a plain attribute happens once, while tracing, and never again.",
        mistakes=("statistics outside Variables", "an inner jit whose state update is dropped"),
        source=_JIT,
    ),
    Requirement(
        id="BN-JIT-3",
        statement=(
            "One trace per shape and mode over repeated calls; switching modes on one shape "
            "gives each mode its own result."
        ),
        level=Level.MUST,
        needs=Capability.NNX,
        why="A layer that changes its static part at each call compiles at each call.",
        mistakes=("a Python counter on the module", "a dtype that changes with each update"),
        source="jax.jit: compiled code is kept per shape, dtype and static argument",
    ),
    Requirement(
        id="BN-VMAP-1",
        statement="nnx.vmap over a stack of layers equals the loop, in outputs and states.",
        level=Level.MUST,
        needs=Capability.NNX,
        why="Ensembles and populations are trained this way.",
        mistakes=("statistics shared between the lanes", "a reduction over all axes"),
        source="flax NNX: nnx.vmap maps Variables like any other array",
    ),
)
