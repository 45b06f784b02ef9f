"""TRAIN and EMA: normalising with the batch, and remembering it."""

from conformance.requirements.model import Capability, Level, Requirement

_ALGORITHM_1 = "Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 1"
_FOLLOWS = "follows from BN-TRAIN-1"
_EMA = "flax.nnx.BatchNorm: momentum is the weight of the old value"


def _must(
    number: str, statement: str, *, why: str, mistakes: tuple[str, ...], **rest: str
) -> Requirement:
    return Requirement(
        id=f"BN-{number}",
        statement=statement,
        level=Level.MUST,
        needs=Capability.LAYER,
        formula=rest.get("formula", ""),
        why=why,
        mistakes=mistakes,
        source=rest["source"],
    )


ROWS = (
    _must(
        "TRAIN-1",
        "In training each feature is normalised with the mean and the biased variance of the "
        "batch over axis 0, then scaled by gamma and shifted by beta.",
        formula="y = γ·(x−μ)/√(v+ε) + β,  μ = mean(x),  v = mean((x−μ)²)",
        why="This is Batch Normalization.",
        mistakes=(
            "statistics over the last axis, which is layer normalization",
            "the unbiased variance, N/(N−1)",
            "normalising with the running statistics, or with the freshly updated ones",
            "variance without subtracting the mean",
        ),
        source=_ALGORITHM_1,
    ),
    _must(
        "TRAIN-2",
        "In training y does not depend on the running statistics.",
        why="The running statistics are for evaluation; in training they are only written.",
        mistakes=(
            "normalising with the average of old and new statistics",
            "a shortcut that takes the running value when the batch is small",
        ),
        source=_FOLLOWS,
    ),
    _must(
        "TRAIN-3",
        "Features are independent: column j of y and of the statistics depends on column j of "
        "x alone; a NaN or an infinity in one column stays there.",
        why="One broken sensor must not blank the whole layer.",
        mistakes=(
            "a reduction over both axes",
            "one statistic shared by all features",
            "a global isfinite guard",
        ),
        source=_FOLLOWS,
    ),
    _must(
        "TRAIN-4",
        "Permuting rows permutes y the same way and keeps the statistics; permuting features "
        "permutes y and the statistics the same way.",
        formula="y(Px) = P·y(x)",
        why="A batch is a set, and features have no order.",
        mistakes=(
            "the last row or the last feature left out of a loop",
            "gamma indexed in reverse",
            "rows sorted and not put back",
        ),
        source=_FOLLOWS,
    ),
    _must(
        "TRAIN-5",
        "Stacking the batch on itself gives each row the same y and the same new statistics.",
        formula="y([x; x]) = [y(x); y(x)]",
        why="Mean and biased variance do not change; every N−1 does.",
        mistakes=("N−1 in the variance or in the mean", "a weight that depends on the batch size"),
        source=_FOLLOWS,
    ),
    _must(
        "TRAIN-6",
        "Adding a constant to a feature leaves y unchanged.",
        formula="y(x + c) = y(x)",
        why="Normalization removes the offset; the mean moves with it, the variance does not.",
        mistakes=("mean of squares used as variance", "no centring", "a one-pass variance"),
        source=_FOLLOWS,
    ),
    _must(
        "TRAIN-7",
        "Scaling x by c and eps by c² leaves y unchanged.",
        formula="y(c·x; c²·ε) = y(x; ε),  c > 0",
        why="ε has the unit of a variance; a formula that breaks this law puts it elsewhere.",
        mistakes=("√v + ε", "√(v + ε²)", "a floor under the variance", "clipping of x or of z"),
        source=_FOLLOWS,
    ),
    _must(
        "TRAIN-8",
        "With a single row, N = 1, y is beta.",
        formula="N = 1:  x = μ, v = 0, y = β",
        why="Zero variance at N = 1 is the biased value; N−1 divides by zero there.",
        mistakes=("NaN from N/(N−1)", "returning x when there is nothing to normalise"),
        source="pytorch/pytorch#1381, torch/nn#1271: single-row batches",
    ),
    _must(
        "TRAIN-9",
        "A constant feature gives finite y, equal to beta.",
        formula="x = c:  v = 0, y = β",
        why="ε exists for this case.",
        mistakes=("no ε: 0/0", "returning x, or one, for constant features"),
        source="BVLC/caffe#3963, pytorch/pytorch#5410: constant inputs",
    ),
    _must(
        "TRAIN-10",
        "With gamma = 1 and beta = 0 every feature of y has mean 0 and mean square v/(v+ε).",
        formula="mean(y) = 0,  mean(y²) = v/(v+ε)",
        why="The sentence by which most people know the layer, with ε taken seriously.",
        mistakes=("z divided by √v without ε", "the unbiased variance", "a clipped output"),
        source=_ALGORITHM_1,
    ),
    _must(
        "EMA-1",
        "A training call moves the running mean towards the batch mean; momentum is the weight "
        "of the old value.",
        formula="rm' = m·rm + (1−m)·μ",
        why="The opposite convention, with the same number, forgets ten times too fast.",
        mistakes=(
            "momentum applied to the new value",
            "overwriting the old value",
            "the update computed and never stored",
        ),
        source=_EMA,
    ),
    _must(
        "EMA-2",
        "A training call moves the running variance towards the biased batch variance.",
        formula="rv' = m·rv + (1−m)·v,  v = mean((x−μ)²)",
        why="The unbiased value differs by N/(N−1): a factor of two at N = 2, NaN at N = 1.",
        mistakes=(
            "the unbiased variance, the convention of other frameworks",
            "the standard deviation stored",
            "the running mean used as centre",
        ),
        source=_EMA,
    ),
    _must(
        "EMA-3",
        "There is exactly one update per training call: k calls are k steps of the recursion, "
        "for any sequence of batches, repeats included.",
        formula="rm_k = m·rm_{k−1} + (1−m)·μ_k",
        why="Lost and doubled updates pass every test that makes one call.",
        mistakes=(
            "a batch that equals the last one is skipped",
            "a cumulative average, or zero-debiasing by the number of calls",
            "the first call treated differently",
        ),
        source=_EMA,
    ),
    _must(
        "EMA-4",
        "Momentum 1 leaves both running statistics identical.",
        formula="m = 1:  rm' = rm,  rv' = rv, bit for bit",
        why="Freezing the statistics is a use of the layer.",
        mistakes=("momentum 1 read as 'cumulative average'", "momentum clipped below 1"),
        source="follows from BN-EMA-1 and BN-EMA-2",
    ),
    _must(
        "EMA-5",
        "Momentum 0 replaces the running statistics by those of the batch.",
        formula="m = 0:  rm' = μ,  rv' = v",
        why="Zero is a value, not an absence.",
        mistakes=("`momentum or default`", "momentum clipped above 0"),
        source="follows from BN-EMA-1 and BN-EMA-2",
    ),
    _must(
        "EMA-6",
        "On a constant stream the running statistics converge geometrically, without drift "
        "over hundreds of steps.",
        formula="rm_k − μ = mᵏ·(rm_0 − μ)",
        why="Errors that one step hides add up: stagnation, drift, an update that stops.",
        mistakes=(
            "statistics in half precision stop moving",
            "updates that stop after k calls",
            "a momentum that changes with the step",
        ),
        source="follows from BN-EMA-3",
    ),
    _must(
        "EMA-7",
        "The update does not depend on gamma, beta, eps or the row order.",
        why="The statistics are those of x, before anything is applied to it.",
        mistakes=("statistics of the output", "eps added to the stored variance"),
        source="follows from BN-EMA-1 and BN-EMA-2",
    ),
)
