"""The layer under vmap, scan, remat and abstract evaluation, and used more than once."""

from conformance.requirements.requirement import Capability, Level, Requirement

_EITHER_JIT = "nnx.jit or jax.jit"

ROWS = (
    Requirement(
        id="BN-VMAP-1",
        statement="A map over a stack of layers equals the loop, in outputs and states.",
        needs=Capability.TRANSFORMS,
        why="Ensembles and populations are trained this way.",
        mistakes=("statistics shared between the lanes", "a reduction over all axes"),
        grounds="the problem: the layer works under vmap; mathematics: a map is the loop",
        source="flax NNX: nnx.vmap maps Variables like any other array",
        transforms=(_EITHER_JIT, "nnx.vmap or jax.vmap", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-VMAP-2",
        statement=(
            "A map over batches gives each of them what it gives alone: without an axis name "
            "nothing is shared between the lanes."
        ),
        formula="vmap(call)(xs)[i] = call(xs[i])",
        needs=Capability.TRANSFORMS,
        why="Per-example and per-task code maps over inputs and expects independent lanes.",
        mistakes=("statistics over all leading axes", "collectives without an axis name"),
        grounds="the problem: the layer works under vmap; mathematics: a map is the loop",
        source="JAX: jax.vmap maps a function over an axis that it does not see",
        transforms=("jax.jit", "jax.vmap", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-SCAN-1",
        statement="A scan over T batches is T calls, in outputs and state.",
        level=Level.SHOULD,
        needs=Capability.TRANSFORMS,
        why="Training loops and repeated blocks are scanned to compile once.",
        mistakes=("the state not carried", "a dtype or shape that changes in the carry"),
        grounds="left open: of the transforms the problem names jit and vmap",
        source="flax NNX: nnx.scan with nnx.Carry; JAX: jax.lax.scan",
        transforms=(_EITHER_JIT, "nnx.scan or jax.lax.scan"),
    ),
    Requirement(
        id="BN-REMAT-1",
        statement="Under rematerialisation the update happens once and the gradients are the same.",
        level=Level.SHOULD,
        needs=Capability.TRANSFORMS_GRAD,
        why="Rematerialisation runs the forward pass twice; the statistics must not notice.",
        mistakes=("an update in the recomputed pass", "no update in the first"),
        grounds="left open: of the transforms the problem names jit and vmap",
        source="pytorch/pytorch#96136, YOLO-Master#262: checkpointing updates twice",
        transforms=(_EITHER_JIT, "nnx.remat or jax.checkpoint", "nnx.grad"),
    ),
    Requirement(
        id="BN-SHARED-1",
        statement="A layer that is applied twice in one forward pass updates twice.",
        needs=Capability.TRANSFORMS,
        why="Weight sharing makes one layer see several batches per step.",
        mistakes=("one update per forward pass", "the second from the old statistics"),
        grounds="the problem: each training call updates once",
        source="google/flax#1254, google/flax#452",
        transforms=(_EITHER_JIT,),
    ),
    Requirement(
        id="BN-SHARED-2",
        statement=(
            "In a model of two layers, one of them used twice on different batches, a step of an "
            "optimiser sees the sum over the uses of each layer, and each use updates once."
        ),
        formula="loss = Σ w·a(x) + Σ w*·a(x*) + Σ w·b(x*)",
        needs=Capability.NNX_GRAD,
        why="Siamese and recurrent models meet what one call leaves behind for the next.",
        mistakes=(
            "residuals of one call overwritten by the next",
            "the batch statistics of the first use kept for the second",
            "one memory for all layers of a model",
        ),
        grounds=(
            "the problem: the optimiser updates the parameters, each call the statistics; "
            "mathematics: a sum's derivative"
        ),
        source="flax NNX: nnx.Optimizer(..., wrt=nnx.Param); google/flax#452",
        transforms=("nnx.jit", "nnx.grad", "nnx.Optimizer"),
    ),
    Requirement(
        id="BN-SHAPE-EVAL-1",
        on_word=True,
        statement="The layer can be built and called abstractly, and has the same shapes.",
        level=Level.SHOULD,
        needs=Capability.NNX,
        why="Sharded models are laid out before any array exists.",
        mistakes=("a Python branch on values in the constructor", "NumPy in the constructor"),
        grounds="left open: the problem does not speak of layers without values",
        source="flax NNX: nnx.eval_shape; google/flax#4734",
        transforms=("nnx.split and nnx.merge", "abstract evaluation"),
    ),
)
