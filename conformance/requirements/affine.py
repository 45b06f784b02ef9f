"""Gamma, beta and epsilon."""

from conformance.requirements.requirement import Level, Requirement

ROWS = (
    Requirement(
        id="BN-AFF-1",
        statement=(
            "gamma and beta act per feature, in both modes, for every sign and size, exact 0 "
            "included."
        ),
        formula="y_j = γ_j·z_j + β_j",
        why="A fresh layer has γ = 1 and β = 0, so tests on fresh layers never see them.",
        mistakes=(
            "gamma or beta unused, applied twice, or only in one mode",
            "|γ|, 1+γ, β before γ, clipped or rounded γ",
            "γ[0] for all features",
        ),
        grounds="the problem: both modes end in gamma·x̂ + beta",
        source="Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 1",
    ),
    Requirement(
        id="BN-AFF-2",
        statement="A change of gamma or beta from outside is seen by the next call.",
        why="Every optimiser step is such a change.",
        mistakes=("a copy taken at construction or at the first call",),
        grounds="the problem: gamma and beta are trainable, and the optimiser updates them",
        source="flax NNX: an optimiser updates Variables in place",
    ),
    Requirement(
        id="BN-EPS-1",
        statement=(
            "eps sits inside the root, added once, in both modes, also where the variance is "
            "far below eps and where eps is below 1e-5."
        ),
        formula="1/√(v+ε)",
        why="With v ≫ ε no test can tell where ε is; features that barely vary can.",
        mistakes=("√v + ε", "√(v+ε²)", "max(v, ε)", "ε twice", "ε hard-coded or clamped"),
        grounds="the problem: x̂ = (x−mean)/√(var+eps)",
        source="Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 1",
    ),
    Requirement(
        id="BN-EPS-2",
        statement="eps = 0 may be refused; otherwise y may be anything where the variance is 0.",
        formula="γ·0/√(0+0) + β",
        level=Level.MAY,
        why="Without ε a single constant feature is NaN, unless the layer looks out for it.",
        grounds="left open: the problem gives eps no range, and 0/0 has no value",
        source="Ioffe & Szegedy 2015, arXiv:1502.03167: ε is added for numerical stability",
    ),
)
