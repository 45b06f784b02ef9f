"""JIT, VMAP, SCAN, REMAT, SHARED: the layer under the transforms of NNX and JAX.

Where it says jit, a map or a scan, that of NNX is meant for a module, that of JAX for a pure layer.
"""

from conformance.requirements.model import Capability, Level, Requirement

_JIT = "flax NNX: nnx.jit propagates Variable updates out of the compiled function"

ROWS = (
    Requirement(
        id="BN-JIT-1",
        statement="Under jit y and the new state are right, in both modes.",
        level=Level.MUST,
        needs=Capability.TRANSFORMS,
        why="The compiled layer is the one that trains; eager execution is for looking at it.",
        mistakes=("Python branches on values", "NumPy inside the layer", "a trace-time constant"),
        source=_JIT,
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-JIT-2",
        statement="Updates leave the jitted function: n calls with different batches are n steps.",
        level=Level.MUST,
        needs=Capability.TRANSFORMS,
        why="An update of a plain attribute happens once, while tracing, and never again.",
        mistakes=("statistics outside Variables", "an inner jit whose state update is dropped"),
        source=_JIT,
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-JIT-3",
        statement=(
            "One trace per shape and mode over repeated calls; switching modes on one shape "
            "gives each mode its own result."
        ),
        level=Level.MUST,
        needs=Capability.TRANSFORMS,
        why="A layer that changes its static part at each call compiles at each call.",
        mistakes=("a Python counter on the module", "a dtype that changes with each update"),
        source="jax.jit: compiled code is kept per shape, dtype and static argument",
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-JIT-4",
        statement=(
            "Nothing is baked in: after a change of the statistics or of gamma and beta, the same "
            "jitted function gives the result of the change."
        ),
        level=Level.MUST,
        needs=Capability.TRANSFORMS,
        why="A value that was read while tracing is a constant of the program for ever after.",
        mistakes=("values captured while tracing", "folded scale and shift kept between calls"),
        source=_JIT,
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-JIT-5",
        statement="No tracer escapes: after a transform the layer holds values and can be called.",
        level=Level.MUST,
        needs=Capability.NNX,
        why="A tracer kept on the module breaks the next call, far from the cause.",
        mistakes=("an intermediate kept as an attribute", "a global list or cache of arrays"),
        source="JAX: UnexpectedTracerError; nothing may refer to a tracer after its trace",
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-JIT-6",
        statement="jax.jit of the layer as a pure function of its state is right.",
        formula="(y, state') = jit(call)(state, x)",
        level=Level.MUST,
        needs=Capability.TRANSFORMS,
        why="Training loops outside NNX take modules apart and put them together.",
        mistakes=("state outside Variables", "values kept in the graph definition"),
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
        source="JAX: buffer donation, donate_argnums",
        transforms=("nnx.jit", "donation"),
    ),
    Requirement(
        id="BN-VMAP-1",
        statement="A map over a stack of layers equals the loop, in outputs and states.",
        level=Level.MUST,
        needs=Capability.TRANSFORMS,
        why="Ensembles and populations are trained this way.",
        mistakes=("statistics shared between the lanes", "a reduction over all axes"),
        source="flax NNX: nnx.vmap maps Variables like any other array",
        transforms=("nnx.jit", "nnx.vmap", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-VMAP-2",
        statement=(
            "A map over batches gives each of them what it gives alone: without an axis name "
            "nothing is shared between the lanes."
        ),
        formula="vmap(call)(xs)[i] = call(xs[i])",
        level=Level.MUST,
        needs=Capability.TRANSFORMS,
        why="Per-example and per-task code maps over inputs and expects independent lanes.",
        mistakes=("statistics over all leading axes", "collectives without an axis name"),
        source="JAX: jax.vmap maps a function over an axis that it does not see",
        transforms=("jax.jit", "jax.vmap", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-SCAN-1",
        statement="A scan over T batches is T calls, in outputs and state.",
        level=Level.MUST,
        needs=Capability.TRANSFORMS,
        why="Training loops and repeated blocks are scanned to compile once.",
        mistakes=("the state not carried", "a dtype or shape that changes in the carry"),
        source="flax NNX: nnx.scan with nnx.Carry; JAX: jax.lax.scan",
        transforms=("nnx.jit", "nnx.scan"),
    ),
    Requirement(
        id="BN-REMAT-1",
        statement="Under rematerialisation the update happens once and the gradients are the same.",
        level=Level.MUST,
        needs=Capability.TRANSFORMS_GRAD,
        why="Rematerialisation runs the forward pass twice; the statistics must not notice.",
        mistakes=("an update in the recomputed pass", "no update in the first"),
        source="pytorch/pytorch#96136, YOLO-Master#262: checkpointing updates twice",
        transforms=("nnx.jit", "nnx.remat", "nnx.grad"),
    ),
    Requirement(
        id="BN-SHARED-1",
        statement="A layer that is applied twice in one forward pass updates twice.",
        level=Level.MUST,
        needs=Capability.TRANSFORMS,
        why="Weight sharing makes one layer see several batches per step.",
        mistakes=("one update per forward pass", "the second from the old statistics"),
        source="google/flax#1254, google/flax#452",
        transforms=("nnx.jit",),
    ),
    Requirement(
        id="BN-SHARED-2",
        statement=(
            "In a model of two layers, one of them used twice on different batches, a step of an "
            "optimiser sees the sum over the uses of each layer, and each use updates once."
        ),
        formula="loss = Σ w·a(x) + Σ w*·a(x*) + Σ w·b(x*)",
        level=Level.MUST,
        needs=Capability.NNX_GRAD,
        why="Siamese and recurrent models meet what one call leaves behind for the next.",
        mistakes=(
            "residuals of one call overwritten by the next",
            "the batch statistics of the first use kept for the second",
            "one memory for all layers of a model",
        ),
        source="flax NNX: nnx.Optimizer(..., wrt=nnx.Param); google/flax#452",
        transforms=("nnx.jit", "nnx.grad", "nnx.Optimizer"),
    ),
    Requirement(
        id="BN-SHAPE-EVAL-1",
        statement="The layer can be built and called abstractly, and has the same shapes.",
        level=Level.SHOULD,
        needs=Capability.NNX,
        why="Sharded models are laid out before any array exists.",
        mistakes=("a Python branch on values in the constructor", "NumPy in the constructor"),
        source="flax NNX: nnx.eval_shape; google/flax#4734",
        transforms=("nnx.split and nnx.merge", "abstract evaluation"),
    ),
)
