"""Mistakes in the gradients with respect to γ and β."""

from __future__ import annotations

from conformance.diagnosis.approximate import (
    average,
    mapped,
    total,
)
from conformance.diagnosis.backward_model import BACKWARD, Gradients
from conformance.diagnosis.fault_model import step

# Steps take all that their place in the model hands over; loop variables are bound as defaults.
# ruff: noqa: ARG005, PLW0108
from conformance.diagnosis.fault_models.backward import mistake, of_batch, zero
from conformance.diagnosis.fault_models.digits import rounded_to

_gain = BACKWARD["gain_gradient"]

mistake(
    "of-gamma-stopped", "no gradient reaches γ", "dγ = 0", gain_gradient=lambda s, w: zero(s.gamma)
)
mistake(
    "of-beta-stopped",
    "no gradient reaches β",
    "dβ = 0",
    offset_gradient=lambda s, w: zero(s.gamma),
)
mistake(
    "of-affine-stopped",
    "no gradient reaches γ and β",
    gain_gradient=lambda s, w: zero(s.gamma),
    offset_gradient=lambda s, w: zero(s.gamma),
)
mistake(
    "of-gamma-of-x",
    "dγ takes x instead of z",
    "dγ = Σ w·x",
    gain_gradient=lambda s, w: total(w * s.x, 0)[0],
)
mistake(
    "of-gamma-without-inverse-std",
    "dγ lacks 1/√(v+ε)",
    "dγ = Σ w·(x−μ)",
    gain_gradient=lambda s, w: total(w * (s.x - s.mean), 0)[0],
)
mistake(
    "of-gamma-inverse-std-twice",
    "dγ has 1/√(v+ε) twice",
    gain_gradient=lambda s, w: _gain(s, w) * s.r,
)
mistake(
    "of-gamma-uncentred",
    "dγ is not centred",
    "dγ = Σ w·x·r",
    gain_gradient=lambda s, w: total(w * s.x * s.r, 0)[0],
)
mistake(
    "of-gamma-of-output",
    "dγ takes γ·z instead of z",
    "dγ = Σ w·γ·z",
    gain_gradient=lambda s, w: _gain(s, w) * s.gamma,
)
mistake(
    "of-gamma-of-whole-output",
    "dγ takes y instead of z",
    "dγ = Σ w·y",
    gain_gradient=lambda s, w: total(w * (s.gamma * s.z + s.beta), 0)[0],
)
mistake(
    "of-gamma-of-the-batch-in-evaluation",
    "dγ uses the statistics of the batch in evaluation, too",
    gain_gradient=lambda s, w: _gain(of_batch(s), w),
)
mistake(
    "of-gamma-of-running",
    "dγ uses the running statistics in training, too",
    gain_gradient=lambda s, w: _gain(Gradients.saved_of(s.model, s.x, training=False), w),
)
mistake(
    "of-gamma-over-features",
    "dγ is summed over the features where N = D",
    gain_gradient=lambda s, w: total(w * s.z, 1)[:, 0] if s.square else _gain(s, w),
)
mistake(
    "of-beta-over-features",
    "dβ is summed over the features where N = D",
    offset_gradient=lambda s, w: total(w, 1)[:, 0] if s.square else total(w, 0)[0],
)
mistake(
    "of-affine-exchanged",
    "dγ and dβ are exchanged",
    gain_gradient=lambda s, w: total(w, 0)[0],
    offset_gradient=lambda s, w: _gain(s, w),
)
for _array, _step, _letter in (("gamma", "gain_gradient", "dγ"), ("beta", "offset_gradient", "dβ")):
    _right = BACKWARD[_step]
    mistake(
        f"of-{_array}-averaged",
        f"{_letter} is averaged over the batch, not summed",
        **step(_step, lambda s, w, f=_right: f(s, w) / s.rows),
    )
    mistake(
        f"of-{_array}-negated",
        f"{_letter} has the wrong sign",
        **step(_step, lambda s, w, f=_right: -f(s, w)),
    )
    mistake(
        f"of-{_array}-scaled-by-gamma",
        f"{_letter} is multiplied by γ",
        **step(_step, lambda s, w, f=_right: f(s, w) * s.gamma),
    )
    mistake(
        f"of-{_array}-of-last-rows",
        f"{_letter} leaves out the first row",
        **step(_step, lambda s, w, f=_right: f(s, w) - (w * s.z if f is _gain else w)[0]),
    )
    mistake(
        f"of-{_array}-of-first-rows",
        f"{_letter} leaves out the last row",
        **step(_step, lambda s, w, f=_right: f(s, w) - (w * s.z if f is _gain else w)[-1]),
    )
mistake(
    "of-affine-averaged",
    "dγ and dβ are averaged over the batch, not summed",
    gain_gradient=lambda s, w: _gain(s, w) / s.rows,
    offset_gradient=lambda s, w: average(w, 0)[0],
)
for _kind in ("bfloat16", "float16"):
    _round = rounded_to(_kind)
    mistake(
        f"cotangent-{_kind}",
        f"the cotangent is rounded to {_kind}",
        cotangent=lambda s, w, f=_round: mapped(f, w),
    )
    mistake(
        f"residual-{_kind}",
        f"z is kept in {_kind} for the backward pass",
        residual=lambda s, f=_round: s.with_z(mapped(f, s.z)),
    )
    mistake(
        f"dx-{_kind}",
        f"dx is rounded to {_kind}",
        finished_gradient=lambda s, dx, f=_round: mapped(f, dx),
    )
