"""Evaluation with the running statistics."""

from conformance.requirements.requirement import Requirement

_INFERENCE = "Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 2"

ROWS = (
    Requirement(
        id="BN-EVAL-1",
        statement="In evaluation x is normalised with whatever running statistics are stored.",
        formula="y = γ·(x−rm)/√(rv+ε) + β",
        why="This is what a trained network does all its life.",
        mistakes=(
            "batch statistics in evaluation",
            "statistics captured at construction",
            "another eps than in training",
            "gamma and beta left out of the evaluation branch",
        ),
        grounds="the problem: evaluation normalises with the running statistics",
        source=_INFERENCE,
    ),
    Requirement(
        id="BN-EVAL-2",
        on_word=True,
        statement=(
            "Evaluation writes nothing: every leaf of the state and every Python attribute is "
            "identical before and after."
        ),
        why="Evaluating on test data must not train on it.",
        mistakes=("the update outside the training branch", "a counter or cache kept up to date"),
        grounds="the problem: in evaluation nothing is written",
        source=_INFERENCE,
    ),
    Requirement(
        id="BN-EVAL-3",
        statement=(
            "In evaluation rows are independent: a row gives beside others what it gives alone, "
            "whatever numbers they hold."
        ),
        formula="y(x)[i] = y(x[i:i+1])[0]",
        why="A prediction must not depend on what else happens to be in the batch.",
        mistakes=(
            "batch statistics in evaluation",
            "a special case for a single row",
        ),
        grounds="the problem: in evaluation the batch does not matter",
        source=_INFERENCE,
    ),
    Requirement(
        id="BN-EVAL-4",
        statement="The first evaluation of a fresh layer is finite and nearly the identity.",
        formula="fresh layer:  y = x/√(1+ε)",
        why="It is the smoke test everybody runs; a running variance of zero fails it 316-fold.",
        mistakes=("running_var starts at zero", "running_mean starts at one"),
        grounds=(
            "the problem: the output of the first evaluation is finite; mathematics: its value"
        ),
        source="follows from BN-INIT-1 to BN-INIT-4 and BN-EVAL-1",
    ),
    Requirement(
        id="BN-EVAL-5",
        statement="Evaluation is repeatable: the same call twice gives the same result.",
        why="Nothing was written and nothing is random, so nothing can differ.",
        mistakes=("hidden state that evaluation advances", "noise"),
        grounds=("the problem: in evaluation nothing is written, so the equation stays the same"),
        source="follows from BN-EVAL-1 and BN-EVAL-2",
    ),
    Requirement(
        id="BN-EVAL-6",
        statement=(
            "Evaluation sees the statistics as they are now: after a training step, an update "
            "from outside, a merge or a restore."
        ),
        why="A folded or cached form of the statistics goes stale the moment they move.",
        mistakes=(
            "γ/√(rv+ε) folded once and kept",
            "statistics captured in a closure",
            "a cache keyed on the identity of the layer",
        ),
        grounds=(
            "the problem: evaluation uses the running values, which are those that the "
            "Variables hold"
        ),
        source="LaurentMazare/tch-rs#628: evaluation used initial statistics",
    ),
)
