"""Mistakes in the gradients with respect to γ and β."""

from __future__ import annotations

from conformance.diagnosis.approximate import average, map_values, total, zeros_like
from conformance.diagnosis.backward_model import BackwardModel
from conformance.diagnosis.fault_model import backward, replace_step

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005, PLW0108
from conformance.diagnosis.rounding import rounded_to

_gain = BackwardModel.gamma_gradient

backward(
    "gain-stopped",
    "no gradient reaches γ",
    "dγ = 0",
    gamma_gradient=lambda m, w: zeros_like(m.gamma),
)
backward(
    "offset-stopped",
    "no gradient reaches β",
    "dβ = 0",
    beta_gradient=lambda m, w: zeros_like(m.gamma),
)
backward(
    "affine-stopped",
    "no gradient reaches γ and β",
    gamma_gradient=lambda m, w: zeros_like(m.gamma),
    beta_gradient=lambda m, w: zeros_like(m.gamma),
)
backward(
    "gain-gradient-of-x",
    "dγ takes x instead of z",
    "dγ = Σ w·x",
    gamma_gradient=lambda m, w: total(w * m.x, 0)[0],
)
backward(
    "gain-gradient-without-inverse-std",
    "dγ lacks 1/√(v+ε)",
    "dγ = Σ w·(x−μ)",
    gamma_gradient=lambda m, w: total(w * (m.x - m.mean), 0)[0],
)
backward(
    "gain-gradient-inverse-std-twice",
    "dγ has 1/√(v+ε) twice",
    gamma_gradient=lambda m, w: _gain(m, w) * m.r,
)
backward(
    "gain-gradient-uncentred",
    "dγ is not centred",
    "dγ = Σ w·x·r",
    gamma_gradient=lambda m, w: total(w * m.x * m.r, 0)[0],
)
backward(
    "gain-gradient-of-output",
    "dγ takes γ·z instead of z",
    "dγ = Σ w·γ·z",
    gamma_gradient=lambda m, w: _gain(m, w) * m.gamma,
)
backward(
    "gain-gradient-of-whole-output",
    "dγ takes y instead of z",
    "dγ = Σ w·y",
    gamma_gradient=lambda m, w: total(w * (m.gamma * m.z + m.beta), 0)[0],
)
backward(
    "gain-gradient-of-the-batch-in-evaluation",
    "dγ uses the statistics of the batch in evaluation, too",
    gamma_gradient=lambda m, w: _gain(m.after(m.x, training=True), w),
)
backward(
    "gain-gradient-of-running",
    "dγ uses the running statistics in training, too",
    gamma_gradient=lambda m, w: _gain(m.after(m.x, training=False), w),
)
backward(
    "gain-gradient-over-features",
    "dγ is summed over the features where N = D",
    gamma_gradient=lambda m, w: total(w * m.z, 1)[:, 0] if m.square else _gain(m, w),
)
backward(
    "offset-gradient-over-features",
    "dβ is summed over the features where N = D",
    beta_gradient=lambda m, w: total(w, 1)[:, 0] if m.square else total(w, 0)[0],
)
backward(
    "affine-gradient-exchanged",
    "dγ and dβ are exchanged",
    gamma_gradient=lambda m, w: total(w, 0)[0],
    beta_gradient=lambda m, w: _gain(m, w),
)
for _array, _step, _letter in (("gain", "gamma_gradient", "dγ"), ("offset", "beta_gradient", "dβ")):
    _right = getattr(BackwardModel, _step)
    backward(
        f"{_array}-gradient-averaged",
        f"{_letter} is averaged over the batch, not summed",
        **replace_step(_step, lambda m, w, f=_right: f(m, w) / m.rows),
    )
    backward(
        f"{_array}-gradient-negated",
        f"{_letter} has the wrong sign",
        **replace_step(_step, lambda m, w, f=_right: -f(m, w)),
    )
    backward(
        f"{_array}-gradient-scaled-by-gamma",
        f"{_letter} is multiplied by γ",
        **replace_step(_step, lambda m, w, f=_right: f(m, w) * m.gamma),
    )
    backward(
        f"{_array}-gradient-of-last-rows",
        f"{_letter} leaves out the first row",
        **replace_step(_step, lambda m, w, f=_right: f(m, w) - (w * m.z if f is _gain else w)[0]),
    )
    backward(
        f"{_array}-gradient-of-first-rows",
        f"{_letter} leaves out the last row",
        **replace_step(_step, lambda m, w, f=_right: f(m, w) - (w * m.z if f is _gain else w)[-1]),
    )
backward(
    "affine-gradient-averaged",
    "dγ and dβ are averaged over the batch, not summed",
    gamma_gradient=lambda m, w: _gain(m, w) / m.rows,
    beta_gradient=lambda m, w: average(w, 0)[0],
)
for _kind in ("bfloat16", "float16"):
    _round = rounded_to(_kind)
    backward(
        f"cotangent-in-{_kind}",
        f"the cotangent is rounded to {_kind}",
        cotangent=lambda m, w, f=_round: map_values(f, w),
    )
    backward(
        f"residual-in-{_kind}",
        f"z is kept in {_kind} for the backward pass",
        residual=lambda m, f=_round: map_values(f, m.z),
    )
    backward(
        f"gradient-in-{_kind}",
        f"dx is rounded to {_kind}",
        finish_gradient=lambda m, dx, f=_round: map_values(f, dx),
    )
