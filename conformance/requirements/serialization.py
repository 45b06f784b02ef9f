"""Copying, restoring and updating the state."""

from conformance.requirements.requirement import Capability, Level, Requirement

ROWS = (
    Requirement(
        id="BN-SER-1",
        statement=(
            "nnx.split and nnx.merge restore the layer, also through pure dictionaries, flat "
            "states and lists of leaves: same state, right results in both modes."
        ),
        formula="merge(split(layer)) = layer",
        needs=Capability.NNX,
        why="What is not in the state, or not read from it, is lost where models are saved.",
        mistakes=(
            "statistics outside Variables",
            "a table keyed by the identity of the layer",
            "a set-up that only the constructor runs",
        ),
        grounds=(
            "the problem: what nnx.split yields is what gets serialised, so it is the whole layer"
        ),
        source="flax NNX: nnx.split, nnx.merge, nnx.to_pure_dict; ml-explore/mlx#305",
        transforms=("nnx.split and nnx.merge",),
    ),
    Requirement(
        id="BN-SER-2",
        statement=(
            "nnx.clone, copy.deepcopy and pickle give layers with equal state that are "
            "independent: a call on one moves nothing in the other."
        ),
        level=Level.SHOULD,
        needs=Capability.NNX,
        why="Target networks, averaged weights and worker processes are made this way.",
        mistakes=(
            "a Variable or a buffer that both share",
            "__getstate__ without the momentum or the statistics",
            "slots swapped between saving and restoring",
        ),
        grounds="left open: the problem names nnx.split, and neither pickle nor deepcopy",
        source="flax NNX: nnx.clone; Python: copy.deepcopy, pickle; burn#1167",
    ),
    Requirement(
        id="BN-SER-3",
        statement=(
            "An Orbax checkpoint that was written after training and is restored into a fresh "
            "layer, built from another seed, gives the same evaluation."
        ),
        level=Level.SHOULD,
        needs=Capability.NNX,
        why="The evaluation that counts happens in another process than the training.",
        mistakes=("running statistics not saved", "restored values hidden by a cache"),
        grounds="left open: the problem names nnx.split, and no library for checkpoints",
        source="Orbax: StandardCheckpointer; patrick-kidger/equinox#166",
    ),
    Requirement(
        id="BN-SER-4",
        statement=(
            "nnx.update with new values takes effect in both modes, each of the four values goes "
            "to its own slot, and what is not given stays."
        ),
        needs=Capability.NNX,
        why="Optimisers, averaged weights and partial restores write into a living layer.",
        mistakes=("folded scale and shift kept", "slots swapped", "only the first update counts"),
        grounds=(
            "the problem: the values that the Variables hold are the state, whoever has "
            "written them"
        ),
        source="flax NNX: nnx.update",
    ),
)
