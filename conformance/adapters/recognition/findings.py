"""Turns what was found out about a module into the arguments of ``Implementation.nnx``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.adapters.calling import Layout
from conformance.adapters.domain import Wider
from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS
from conformance.adapters.recognition.arrays import Located
from conformance.adapters.recognition.conclusion import Recognized
from conformance.adapters.recognition.constructor import MOMENTUM, Plan
from conformance.adapters.recognition.effects import Chosen
from conformance.adapters.recognition.hyperparameters import Measured, round_eps, round_weight
from conformance.adapters.recognition.ranks import Fit
from conformance.adapters.recognized import write_literal
from conformance.requirements.deviations import Deviation

_DEFAULTS: Mapping[str, Any] = {
    "features": "d",
    "momentum": "momentum",
    "eps": "eps",
    "rngs": "rngs",
    **{array: array for array in ARRAYS},
    "flag": "use_running_average",
    "flag_means": "evaluation",
    "flag_values": None,
    "layout": "last",
    "ndim": 2,
    "fixed": {},
    "modes": "both",
    "arguments": {},
    "wider": None,
    "takes_numpy": True,
}

_WITHOUT_AVERAGES = 1.0
"""The weight of the old mean where no call moves it."""

_USUAL_MOMENTUM, _USUAL_EPS = 0.9, 1e-5
"""What is assumed where calls show nothing consistent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """What a module takes beyond its preferred layout.

    Attributes:
        further: The other layouts.
        wider: The extended domain.
        dtype: The argument for the dtype.
    """

    further: tuple[Layout, ...]
    wider: Wider | None
    dtype: str


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What was found out about a module.

    Attributes:
        label: Its name in the line.
        kind: What it was recognized as.
        plan: How it is constructed.
        fit: The layout of its input.
        chosen: How its mode is chosen.
        located: Where its arrays are.
        measured: What calls show about momentum and ε.
        domain: What else it takes.
        refuses_single_row: Training on a single row raises.
        takes_numpy: Calls with NumPy arrays work.
        dtypes: Declarations of the dtypes that are not float32.
        ignored: Arguments of the call with defaults, of which nothing is known.
    """

    label: str
    kind: str
    plan: Plan
    fit: Fit
    chosen: Chosen
    located: Located
    measured: Measured
    domain: Domain
    refuses_single_row: bool
    takes_numpy: bool
    dtypes: frozenset[Deviation]
    ignored: tuple[str, ...]

    @property
    def modes(self) -> str:
        """The modes that there are, as in ``Implementation.nnx``."""
        if not any(array in self.located.roles for array in STATISTICS):
            return "training"
        has_flag = self.chosen.mode.calling.flag is not None
        return "both" if has_flag or self.chosen.train.trains else "evaluation"

    @property
    def never_moves(self) -> bool:
        """Whether there is a flag, and every call evaluates all the same."""
        both = (self.chosen.train, self.chosen.evaluate)
        return self.modes == "both" and not any(e.trains or e.failure for e in both)

    def conclude(self) -> Recognized:
        """Return the reading."""
        given = self._arguments()
        kind = self.kind if given.keys() <= _OF_KNOWN_SHAPES else "recognized nnx.Module"
        return Recognized(
            label=self.label,
            given=given,
            kind=kind or "recognized nnx.Module",
            reasons=tuple(self._reasons()),
            suggestions=tuple(self._suggestions()),
        )

    def _arguments(self) -> dict[str, Any]:
        calling, layout = self.chosen.mode.calling, self.fit.layout
        keywords = self.plan.keywords
        values: dict[str, Any] = {
            **{
                role: keywords[role] for role in ("features", "momentum", "eps") if role in keywords
            },
            "rngs": keywords.get("rngs", False),
            **{array: self.located.roles.get(array) for array in ARRAYS},
            "flag": calling.flag,
            "flag_means": "training" if calling.inverted and calling.flag else "evaluation",
            "flag_values": calling.values,
            "layout": "first" if layout.first else "last",
            "ndim": layout.ndim,
            "fixed": self._fixed(),
            "modes": self.modes,
            "arguments": dict(self.plan.arguments),
            "wider": self.domain.wider,
            "takes_numpy": self.takes_numpy,
        }
        return {name: value for name, value in values.items() if value != _DEFAULTS[name]}

    def _fixed(self) -> dict[str, float]:
        fixed: dict[str, float] = {}
        if "momentum" not in self.plan.keywords:
            weight = self.measured.weight
            unknown = _USUAL_MOMENTUM if self.modes == "both" else _WITHOUT_AVERAGES
            fixed["momentum"] = unknown if weight is None else round_weight(weight)
        if "eps" not in self.plan.keywords:
            eps = self.measured.eps
            fixed["eps"] = _USUAL_EPS if eps is None else round_eps(eps)
        return fixed

    def _reasons(self) -> Iterator[str]:
        yield f"It is built as {self.plan}."
        yield (
            f"The mode is chosen by {self.chosen.reason}."
            if (self.chosen.mode.calling.flag is not None)
            else f"No mode: {self.chosen.reason}."
        )
        yield f"x has {self.fit.layout.ndim} axes, the features on {_place(self.fit.layout)}" + (
            "." if self.fit.complete else ", and only some shapes or modes work: to be judged."
        )
        if not self.takes_numpy:
            yield "A call with a NumPy array raises, so x is made a JAX array before."
        for layout in self.domain.further:
            yield f"x may have {layout.ndim} axes as well, the features on {_place(layout)}."
        yield from (f"{reason}." for reason in self.located.reasons)
        for name in self.ignored:
            yield f"The call's argument {name} is left at its default."
        for array in ARRAYS:
            if array not in self.located.roles:
                yield f"It has no {array}."
        yield from self._reasons_of_values()
        if self.modes == "evaluation":
            yield "Every call evaluates, and nothing moves: it is for inference only."
        if self.modes == "training":
            yield "It has no running statistics: every call normalizes with its batch."
        if self.modes == "both" and self.chosen.mode.calling.flag is None:
            yield "Every call trains: there is no evaluation mode."

    def _reasons_of_values(self) -> Iterator[str]:
        for role, value in self._fixed().items():
            measured = self.measured.weight if role == "momentum" else self.measured.eps
            if role == "momentum" and value == _WITHOUT_AVERAGES:
                yield "No call moves an average: there is no momentum."
            elif measured is None:
                yield f"No argument is {role}, and no call shows its value: {value} is assumed."
            else:
                yield f"No argument is {role}: calls show {measured:.6g}, so {value} is fixed."
        weight = self.measured.weight
        if "momentum" in self.plan.keywords and weight is not None:
            distance = min(abs(weight - each) for each in (MOMENTUM, 1 - MOMENTUM))
            if distance > 1e-3:
                yield f"With a momentum of {MOMENTUM} the old mean weighs {weight:.4g}."

    def _suggestions(self) -> Iterator[str]:
        deviations = self._deviations()
        if deviations:
            yield f"deviations={write_literal(deviations)}"
        if self.measured.count:
            yield f"count={write_literal(self.measured.count)}"
        extra = tuple(path for path in self.located.extra if path != self.measured.count)
        if extra:
            yield f"extra={write_literal(extra)}"
        if self.never_moves:
            yield 'modes="evaluation"'
        if self.domain.dtype:
            wider = replace(self.domain.wider or Wider(), dtype=self.domain.dtype)
            text = write_literal(wider).removesuffix(")")
            yield f"wider={text}, precisions=AT_LEAST_FLOAT32)"

    def _deviations(self) -> frozenset[Deviation]:
        weight = self.measured.weight
        named = "momentum" in self.plan.keywords and weight is not None
        seen = {
            Deviation.MOMENTUM_OF_NEW_VALUE: named and abs((weight or 0) - (1 - MOMENTUM)) < 1e-3,
            Deviation.UNBIASED_RUNNING_VARIANCE: self.measured.unbiased,
            Deviation.ONE_PASS_VARIANCE: self.measured.one_pass,
            Deviation.GRADIENT_THROUGH_STATISTICS: self.measured.carries_gradient,
            Deviation.SINGLE_ROW_REFUSED: self.refuses_single_row,
            Deviation.FIRST_BATCH_REPLACES: self.measured.replaces,
            Deviation.ZERO_DEBIASED_STATISTICS: self.measured.debiased,
        }
        return self.dtypes | {deviation for deviation, is_seen in seen.items() if is_seen}


_OF_KNOWN_SHAPES = {"features", "eps", "wider", *PARAMETERS, *STATISTICS}


def _place(layout: Layout) -> str:
    return "axis 1" if layout.first else "the last"
