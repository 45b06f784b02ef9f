"""Forward error bounds: how far a correct implementation may be from the oracle.

This is the only place in the suite with tolerances. Each is derived from the inputs alone,
never from what an implementation returned, and is valid for every order of summation.

Notation
    u = 2⁻²⁴, the unit roundoff of float32; N rows; h = N−1 additions at most that a summand
    passes through (sequential sums really reach N/4·u on constant columns, so √N or log N
    would be wrong); per feature: μ, v, σ = √v of the batch; A = mean|x|; w = v + ε;
    r = 1/√w; z = (x−μ)·r. e_q is the bound on the error of a computed quantity q.
First-order bounds are multiplied by 1.05 for the terms of higher order (h·u < 1e-4 for every
size in use), and get a floor for results that a processor flushes to zero.
"""

from __future__ import annotations

from conformance.numerics.bounds.accuracy import Bound, U
from conformance.numerics.bounds.averaged import averaged_gradient
from conformance.numerics.bounds.backward import (
    GradientBounds,
    evaluation_gradient,
    step,
    total,
    training_gradient,
)
from conformance.numerics.bounds.exact_sums import (
    exact_statistics,
    is_beside_a_power_of_two,
    sharp_statistics,
)
from conformance.numerics.bounds.forward import (
    TrainingBounds,
    averaging_error,
    ema_error,
    evaluate,
    inverse_root_error,
    may_overflow,
    narrow_error,
    output_error,
    train,
)
from conformance.numerics.bounds.merged import merged_statistics
from conformance.numerics.bounds.moments import (
    mean_error,
    one_pass_error,
    perturbed_statistics,
    statistics,
    variance_error,
)
from conformance.numerics.bounds.narrow import (
    evaluate_in_float64,
    narrowed_gradient,
    representable,
    rounded_output,
    train_in_float64,
)
from conformance.numerics.bounds.second_order import (
    SecondBounds,
    output_along,
    second_gradients,
)

__all__ = [
    "Bound",
    "GradientBounds",
    "SecondBounds",
    "TrainingBounds",
    "U",
    "averaged_gradient",
    "averaging_error",
    "ema_error",
    "evaluate",
    "evaluate_in_float64",
    "evaluation_gradient",
    "exact_statistics",
    "inverse_root_error",
    "is_beside_a_power_of_two",
    "may_overflow",
    "mean_error",
    "merged_statistics",
    "narrow_error",
    "narrowed_gradient",
    "one_pass_error",
    "output_along",
    "output_error",
    "perturbed_statistics",
    "representable",
    "rounded_output",
    "second_gradients",
    "sharp_statistics",
    "statistics",
    "step",
    "total",
    "train",
    "train_in_float64",
    "training_gradient",
    "variance_error",
]
