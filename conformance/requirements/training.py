"""The output of a training call."""

from conformance.requirements.requirement import Requirement

_ALGORITHM_1 = "Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 1"
_FOLLOWS = "follows from BN-TRAIN-1"

ROWS = (
    Requirement(
        id="BN-TRAIN-1",
        statement=(
            "In training each feature is normalised with the mean and the biased variance of the "
            "batch over axis 0, then scaled by gamma and shifted by beta."
        ),
        formula="y = γ·(x−μ)/√(v+ε) + β,  μ = mean(x),  v = mean((x−μ)²)",
        why="This is Batch Normalization.",
        mistakes=(
            "statistics over the last axis, which is layer normalization",
            "the unbiased variance, N/(N−1)",
            "normalising with the running statistics, or with the freshly updated ones",
            "variance without subtracting the mean",
        ),
        grounds=(
            "the problem: training normalises with the mean and the biased variance of "
            "the batch, over axis 0"
        ),
        source=_ALGORITHM_1,
    ),
    Requirement(
        id="BN-TRAIN-2",
        statement="In training y does not depend on the running statistics.",
        why="The running statistics are for evaluation; in training they are only written.",
        mistakes=(
            "normalising with the average of old and new statistics",
            "a shortcut that takes the running value when the batch is small",
        ),
        grounds="the problem: in training x is normalised with the batch statistics",
        source=_FOLLOWS,
    ),
    Requirement(
        id="BN-TRAIN-3",
        statement=(
            "Features are independent: column j of y and of the statistics depends on column j of "
            "x alone."
        ),
        why="One broken sensor must not blank the whole layer.",
        mistakes=(
            "a reduction over both axes",
            "one statistic shared by all features",
        ),
        grounds=(
            "the problem: statistics are over axis 0, so no equation of a feature contains another"
        ),
        source=_FOLLOWS,
    ),
    Requirement(
        id="BN-TRAIN-4",
        statement=(
            "Permuting rows permutes y the same way and keeps the statistics; permuting features "
            "permutes y and the statistics the same way."
        ),
        formula="y(Px) = P·y(x)",
        why="A batch is a set, and features have no order.",
        mistakes=(
            "the last row or the last feature left out of a loop",
            "gamma indexed in reverse",
            "rows sorted and not put back",
        ),
        grounds="mathematics: a mean does not depend on the order of what it is taken over",
        source=_FOLLOWS,
    ),
    Requirement(
        id="BN-TRAIN-5",
        statement=(
            "Stacking the batch on itself gives each row the same y and the same new statistics."
        ),
        formula="y([x; x]) = [y(x); y(x)]",
        why="Mean and biased variance do not change; every N−1 does.",
        mistakes=("N−1 in the variance or in the mean", "a weight that depends on the batch size"),
        grounds="mathematics: every number twice has the same mean and the same mean square",
        source=_FOLLOWS,
    ),
    Requirement(
        id="BN-TRAIN-6",
        statement="Adding a constant to a feature leaves y unchanged.",
        formula="y(x + c) = y(x)",
        why="Normalization removes the offset; the mean moves with it, the variance does not.",
        mistakes=("mean of squares used as variance", "no centring", "a one-pass variance"),
        grounds="mathematics: (x+c) − mean(x+c) = x − mean(x)",
        source=_FOLLOWS,
    ),
    Requirement(
        id="BN-TRAIN-7",
        statement="Scaling x by c and eps by c² leaves y unchanged.",
        formula="y(c·x; c²·ε) = y(x; ε),  c > 0",
        why="ε has the unit of a variance; a formula that breaks this law puts it elsewhere.",
        mistakes=("√v + ε", "√(v + ε²)", "a floor under the variance", "clipping of x or of z"),
        grounds="mathematics: c(x−μ)/√(c²v + c²ε) = (x−μ)/√(v+ε)",
        source=_FOLLOWS,
    ),
    Requirement(
        id="BN-TRAIN-8",
        statement="With a single row, N = 1, y is beta.",
        formula="N = 1:  x = μ, v = 0, y = β",
        why="Zero variance at N = 1 is the biased value; N−1 divides by zero there.",
        mistakes=("NaN from N/(N−1)", "returning x when there is nothing to normalise"),
        grounds="mathematics: of a single row x−μ = 0, and ε > 0, so the equation gives beta",
        source="pytorch/pytorch#1381, torch/nn#1271: single-row batches",
    ),
    Requirement(
        id="BN-TRAIN-9",
        statement="A constant feature gives finite y, equal to beta.",
        formula="x = c:  v = 0, y = β",
        why="ε exists for this case.",
        mistakes=("no ε: 0/0", "returning x, or one, for constant features"),
        grounds=(
            "mathematics: of a constant feature x−μ = 0, and ε > 0, so the equation gives beta"
        ),
        source="BVLC/caffe#3963, pytorch/pytorch#5410: constant inputs",
    ),
    Requirement(
        id="BN-TRAIN-10",
        statement=(
            "With gamma = 1 and beta = 0 every feature of y has mean 0 and mean square v/(v+ε)."
        ),
        formula="mean(y) = 0,  mean(y²) = v/(v+ε)",
        why="The sentence by which most people know the layer, with ε taken seriously.",
        mistakes=("z divided by √v without ε", "the unbiased variance", "a clipped output"),
        grounds="mathematics: follows from the equation of y with gamma = 1 and beta = 0",
        source=_ALGORITHM_1,
    ),
)
