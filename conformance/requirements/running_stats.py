"""How a training call updates the running statistics."""

from conformance.requirements.requirement import Level, Requirement

_EMA = "flax.nnx.BatchNorm: momentum is the weight of the old value"

ROWS = (
    Requirement(
        id="BN-EMA-1",
        statement=(
            "A training call moves the running mean towards the batch mean; momentum is the weight "
            "of the old value."
        ),
        formula="rm' = m·rm + (1−m)·μ",
        why="The opposite convention, with the same number, forgets ten times too fast.",
        mistakes=(
            "momentum applied to the new value",
            "overwriting the old value",
            "the update computed and never stored",
        ),
        grounds="the problem: running becomes momentum·running + (1−momentum)·batch",
        source=_EMA,
    ),
    Requirement(
        id="BN-EMA-2",
        statement="A training call moves the running variance towards the biased batch variance.",
        formula="rv' = m·rv + (1−m)·v,  v = mean((x−μ)²)",
        why="The unbiased value differs by N/(N−1): a factor of two at N = 2, NaN at N = 1.",
        mistakes=(
            "the unbiased variance, the convention of other frameworks",
            "the standard deviation stored",
            "the running mean used as centre",
        ),
        grounds=(
            "the problem: running becomes momentum·running + (1−momentum)·batch, with v = "
            "mean((x−μ)²)"
        ),
        source=_EMA,
    ),
    Requirement(
        id="BN-EMA-3",
        statement=(
            "There is exactly one update per training call: k calls are k steps of the recursion, "
            "for any sequence of batches, repeats included."
        ),
        formula="rm_k = m·rm_{k−1} + (1−m)·μ_k",
        why="Lost and doubled updates pass every test that makes one call.",
        mistakes=(
            "a batch that equals the last one is skipped",
            "a cumulative average, or zero-debiasing by the number of calls",
            "the first call treated differently",
        ),
        grounds="the problem: each training call updates the running values once",
        source=_EMA,
    ),
    Requirement(
        id="BN-EMA-4",
        statement=(
            "Momentum 1 leaves both running statistics as they are, up to the rounding of an "
            "average."
        ),
        formula="m = 1:  rm' = rm,  rv' = rv",
        why="Freezing the statistics is a use of the layer.",
        mistakes=("momentum 1 read as 'cumulative average'", "momentum clipped below 1"),
        grounds="the problem: with momentum 1 its equation is running = running",
        source="follows from BN-EMA-1 and BN-EMA-2",
    ),
    Requirement(
        id="BN-EMA-5",
        statement="Momentum 0 replaces the running statistics by those of the batch.",
        formula="m = 0:  rm' = μ,  rv' = v",
        why="Zero is a value, not an absence.",
        mistakes=("`momentum or default`", "momentum clipped above 0"),
        grounds="the problem: with momentum 0 its equation is running = batch",
        source="follows from BN-EMA-1 and BN-EMA-2",
    ),
    Requirement(
        id="BN-EMA-6",
        statement=(
            "On a constant stream the running statistics converge geometrically, without drift "
            "over hundreds of steps."
        ),
        formula="rm_k − μ = mᵏ·(rm_0 − μ); rv_k − v = mᵏ·(rv_0 − v)",
        why="Errors that one step hides add up: stagnation, drift, an update that stops.",
        mistakes=(
            "statistics in half precision stop moving",
            "updates that stop after k calls",
            "a momentum that changes with the step",
        ),
        grounds="mathematics: the recursion of the problem, solved for a constant batch",
        source="follows from BN-EMA-3",
    ),
    Requirement(
        id="BN-EMA-7",
        statement="The update does not depend on gamma, beta, eps or the row order.",
        why="The statistics are those of x, before anything is applied to it.",
        mistakes=("statistics of the output", "eps added to the stored variance"),
        grounds=(
            "the problem: gamma, beta and eps are in no equation of the running values; "
            "mathematics: a mean has no order"
        ),
        source="follows from BN-EMA-1 and BN-EMA-2",
    ),
    Requirement(
        id="BN-EMA-8",
        statement="Momentum 1 leaves both running statistics identical.",
        formula="m = 1:  rm' = rm,  rv' = rv, bit for bit",
        level=Level.SHOULD,
        why="Frozen statistics that creep by a rounding in each call are not those of evaluation.",
        mistakes=("momentum clipped just below 1", "new − m·(new − old), which rounds"),
        grounds="left open: new − m·(new − old) is the same average, and rounds at m = 1",
        source="BN-EMA-4, to the last bit",
    ),
    Requirement(
        id="BN-EMA-9",
        statement="A momentum outside [0, 1] may be refused, or taken as it is.",
        formula="m = 1.5, m = −.5",
        level=Level.MAY,
        why="A percentage taken for a share is such a momentum, and the average diverges.",
        grounds="left open: the problem gives momentum no range",
        source="the weights of an average are in [0, 1]",
    ),
)
