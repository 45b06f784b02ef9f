"""The layer as NNX sees it: Variables, leaves, graph definition."""

from conformance.requirements.requirement import Capability, Level, Requirement

_NNX = "flax NNX: Module, Param, Variable, split and merge"

ROWS = (
    Requirement(
        id="BN-STATE-1",
        on_word=True,
        statement="gamma and beta are nnx.Param.",
        needs=Capability.NNX,
        why="nnx.grad and nnx.Optimizer find trainable values by this type.",
        mistakes=("a plain nnx.Variable or a bare array, which no optimiser will ever move",),
        grounds="the problem: gamma and beta are nnx.Param",
        source=_NNX,
    ),
    Requirement(
        id="BN-STATE-2",
        on_word=True,
        statement=(
            "running_mean and running_var are nnx.Variables, of any subclass except nnx.Param."
        ),
        needs=Capability.NNX,
        why="Statistics typed as Param are moved by the optimiser and shrunk by weight decay.",
        mistakes=("nnx.Param, the easiest way to get a value saved", "a bare jax.Array attribute"),
        grounds="the problem: the running statistics are nnx.Variable and not trainable",
        source=_NNX,
    ),
    Requirement(
        id="BN-STATE-3",
        on_word=True,
        statement=(
            "nnx.split yields exactly four leaves; filtering by Param gives exactly gamma and "
            "beta, the rest is exactly the running statistics."
        ),
        needs=Capability.NNX,
        why="This is what is saved, moved between devices, donated and optimised.",
        mistakes=(
            "a counter or a cached array kept as a fifth leaf",
            "statistics kept outside the state, as static attributes",
        ),
        grounds="the problem: four pieces of state of two kinds, and no other",
        source=_NNX,
    ),
    Requirement(
        id="BN-STATE-4",
        statement=(
            "momentum and eps are static attributes: no leaf of the state depends on them, but "
            "for further state that is declared."
        ),
        needs=Capability.NNX,
        why="A hyper-parameter among the leaves is saved, donated and possibly optimised.",
        mistakes=("self.momentum = jnp.asarray(momentum)", "nnx.Variable(momentum)"),
        grounds="the problem: momentum and eps are plain static attributes",
        source=_NNX,
    ),
    Requirement(
        id="BN-STATE-5",
        on_word=True,
        statement=(
            "A call keeps the tree, the Variable objects, their types, metadata, shapes and "
            "dtypes; only values move, only those of the running statistics, only in training."
        ),
        needs=Capability.NNX,
        why="References held by optimisers and outer modules must keep pointing at the state.",
        mistakes=(
            "binding a fresh nnx.Variable at every update",
            "a dtype that changes with the first batch",
            "a call counter kept in the state",
        ),
        grounds=(
            "the problem: a training call rebinds the running statistics through their "
            "Variables; evaluation writes nothing"
        ),
        source=_NNX,
    ),
    Requirement(
        id="BN-STATE-6",
        statement="After a training step nnx.split carries the new running values.",
        needs=Capability.NNX,
        why="What split yields is what gets serialised; a stale copy loses the training.",
        mistakes=("a state dictionary cached at construction", "the update kept in a side copy"),
        grounds="the problem: after nnx.split the new value is what gets serialised",
        source=_NNX,
    ),
    Requirement(
        id="BN-STATE-7",
        on_word=True,
        statement="Two instances share no Variable, and training one leaves the other untouched.",
        needs=Capability.NNX,
        why="Shared statistics mix layers.",
        mistakes=("Variables created once, as class attributes or default arguments",),
        grounds=(
            "the problem: state belongs to one object; its own batches move it, once per call"
        ),
        source=_NNX,
    ),
    Requirement(
        id="BN-STATE-8",
        on_word=True,
        statement="The graph definition is the same before and after a call.",
        level=Level.SHOULD,
        needs=Capability.NNX,
        why="A static attribute that changes makes every call under nnx.jit compile again.",
        mistakes=("a Python call counter", "caching the last batch shape on the module"),
        grounds=(
            "left open: the problem speaks of Variables, not of what the graph definition holds"
        ),
        source="flax NNX: the graph definition is the static part of a jitted call",
    ),
    Requirement(
        id="BN-STATE-9",
        on_word=True,
        statement=(
            "Within one instance no two leaves of the state share a buffer that donation would "
            "delete twice."
        ),
        level=Level.SHOULD,
        needs=Capability.NNX,
        why="A buffer that two leaves share makes jit with donation fail.",
        mistakes=("beta and running_mean built from the same zeros array",),
        grounds=(
            "left open: two arrays of equal values are as the problem asks, whoever owns the memory"
        ),
        source="jax.jit(donate_argnums=…): a buffer may be donated once",
    ),
)
