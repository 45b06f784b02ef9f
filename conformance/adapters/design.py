"""What a layer fixes, lacks or adds by design, as its author declares it.

Imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.adapters.calling import ROWS, Layout
from conformance.adapters.errors import AdapterError
from conformance.adapters.protocols import ARRAYS, STATISTICS, Config
from conformance.requirements.deviations import Deviation

_HYPERPARAMETERS = ("momentum", "eps")

MODES: Mapping[str, frozenset[Deviation]] = {
    "both": frozenset(),
    "evaluation": frozenset({Deviation.ALWAYS_EVALUATES}),
    "training": frozenset({Deviation.ALWAYS_TRAINS}),
}
"""The modes that a layer has, and the deviations that say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Choices that restrict what can be judged, and that are checked as far as they can be seen.

    Attributes:
        fixed: Pairs of "momentum" or "eps" and the value that the layer always has.
        absent: The arrays that it does not have, by their names in ``ARRAYS``.
        extra: The names of attributes with further state.
        flag_argument: The mode is an argument of the call.
        layout: The layout in which it takes a batch.
        takes_numpy: It can be called with NumPy arrays.

    Raises:
        AdapterError: A name or a value is none of these.
    """

    fixed: tuple[tuple[str, float], ...] = ()
    absent: frozenset[str] = frozenset()
    extra: tuple[str, ...] = ()
    flag_argument: bool = True
    layout: Layout = ROWS
    takes_numpy: bool = True

    def __post_init__(self) -> None:
        for name, value in self.fixed:
            if name not in _HYPERPARAMETERS:
                msg = f"fixed={dict(self.fixed)!r}: {name!r} is neither 'momentum' nor 'eps'."
                raise AdapterError(msg)
            right = isinstance(value, int | float) and value == value  # noqa: PLR0124  not NaN
            if not right or not (0 <= value <= 1 if name == "momentum" else value > 0):
                rule = "from 0 to 1, the weight of the old value" if name == "momentum" else "> 0"
                msg = f"fixed={dict(self.fixed)!r}: {name} must be a number {rule}."
                raise AdapterError(msg)
        if len(self.absent & set(STATISTICS)) == 1:
            msg = f"only {set(STATISTICS) - self.absent} is given: give both statistics or neither."
            raise AdapterError(msg)

    @property
    def without(self) -> frozenset[str]:
        """What the layer does not have; see ``conformance.requirements.designs.Restriction``."""
        has = {"flag": self.flag_argument, "numpy": self.takes_numpy}
        return self.absent.union(dict(self.fixed), {name for name, it in has.items() if not it})

    def configured(self, config: Config) -> Config:
        """Return a configuration with the fixed values in place of others."""
        fixed = {"momentum": config.momentum, "eps": config.eps, **dict(self.fixed)}
        return replace(config, momentum=fixed["momentum"], eps=fixed["eps"])

    def to_json(self) -> dict[str, Any]:
        """Return the design as JSON values."""
        return {
            "fixed": dict(self.fixed),
            "absent": sorted(self.absent),
            "extra": list(self.extra),
            "flag_argument": self.flag_argument,
            "ndim": self.layout.ndim,
            "features_first": self.layout.first,
            "takes_numpy": self.takes_numpy,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Design:
        """Return the design that ``to_json`` wrote.

        Raises:
            AdapterError: A value is none that a design can have.
            KeyError: A field is missing.
            TypeError: A field has another type.
        """
        absent, extra, flag = (data[name] for name in ("absent", "extra", "flag_argument"))
        if not set(absent) <= set(ARRAYS) or not all(type(each) is str for each in extra):
            raise TypeError("a name is none that a design can have")
        ndim, first, numpy = (data[name] for name in ("ndim", "features_first", "takes_numpy"))
        if (type(flag), type(ndim), type(first), type(numpy)) != (bool, int, bool, bool):
            msg = "flag_argument, ndim, features_first or takes_numpy has another type"
            raise TypeError(msg)
        return cls(
            fixed=tuple(sorted(dict(data["fixed"]).items())),
            absent=frozenset(absent),
            extra=tuple(extra),
            flag_argument=flag,
            layout=Layout(ndim=ndim, first=first),
            takes_numpy=numpy,
        )


PLAIN = Design()
"""A layer with everything: both arguments, four arrays, no further state."""


def deviations_of(modes: str) -> frozenset[Deviation]:
    """Return the deviations that a choice of modes stands for.

    Raises:
        AdapterError: It is none of the choices.
    """
    if modes not in MODES:
        msg = f"modes={modes!r}: expected one of {', '.join(map(repr, MODES))}."
        raise AdapterError(msg)
    return MODES[modes]
