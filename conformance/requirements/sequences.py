"""Arbitrary sequences of operations, compared with a model."""

from conformance.requirements.requirement import Requirement

ROWS = (
    Requirement(
        id="BN-SEQ-1",
        statement=(
            "After any sequence of training, evaluating, writing, copying and restoring, jitted or "
            "not, outputs and state are the model's, and nothing else has moved."
        ),
        why="Each call alone may be right while some order of calls is not.",
        mistakes=(
            "a cache that outlives what it was computed from",
            "a counter that changes the formula",
            "state shared with a copy or another instance",
        ),
        grounds="mathematics: the equations of single calls, one after the other",
        source="follows from BN-IND-2; Claessen & Hughes 2002, Testing monadic code",
        transforms=("nnx.jit", "nnx.split and nnx.merge"),
    ),
)
