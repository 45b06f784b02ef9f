"""The layers of corpus/real, driven by hand and compared with the definition in float64.

The comparison does not use the suite: it shows that the table is right before the suite is asked.
"""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from flax import nnx

from conformance import Deviation, Implementation, Wider

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "corpus" / "real"
TABLE: dict[str, dict[str, Any]] = tomllib.loads((FOLDER / "verdicts.toml").read_text("utf-8"))
ROLES = ("gamma", "beta", "running_mean", "running_var")
MOMENTUM, EPS, FEATURES = 0.7, 0.01, 5
BATCHES = {
    2: [(7,), (257,)],
    3: [(4, 3), (257, 1)],
    4: [(3, 2, 4), (2, 4, 2)],
    5: [(2, 3, 2, 4), (3, 2, 4, 2)],
}
"""Sizes of the axes besides the features, by the number of axes."""


def load(name: str) -> Any:
    """Return the class or function of an entry of the table."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))  # the corpus need not be installed
    return getattr(importlib.import_module(f"corpus.real.{name}"), TABLE[name]["entry"])


def _with_objects(given: dict[str, Any]) -> dict[str, Any]:
    """Return arguments in which those such as ``cfg.width`` are attributes of an object ``cfg``."""
    plain: dict[str, Any] = {}
    for name, value in given.items():
        owner, _, attribute = name.rpartition(".")
        if owner:
            setattr(plain.setdefault(owner, SimpleNamespace()), attribute, value)
        else:
            plain[name] = value
    return plain


@dataclass
class Driver:
    """A layer and how it is used, by the line of the table."""

    name: str

    def __post_init__(self) -> None:
        self.line: dict[str, Any] = TABLE[self.name].get("line", {})
        self.mode = None
        self.fixed = self.line.get("fixed", {})
        self.momentum = self.fixed.get("momentum", MOMENTUM)
        self.eps = self.fixed.get("eps", EPS)
        self.module = self._build(load(self.name))
        self.attributes = {role: self.line.get(role, role) for role in ROLES}

    def _build(self, entry: Any) -> Any:
        given = {self.line.get("features", "d"): FEATURES, **self.line.get("arguments", {})}
        for value, default, amount in (("momentum",) * 2 + (MOMENTUM,), ("eps",) * 2 + (EPS,)):
            argument = self.line.get(value, default)
            if argument and value not in self.fixed:
                given[argument] = amount
        if self.line.get("rngs", "rngs"):
            given["rngs"] = nnx.Rngs(0)
        return entry(**_with_objects(given))

    def _parent(self, role: str) -> tuple[Any, str]:
        place, _, last = self.attributes[role].rpartition(".")
        return (attrgetter(place)(self.module) if place else self.module), last

    def read(self, role: str) -> np.ndarray:
        """Return an array of the layer, flat."""
        parent, last = self._parent(role)
        return np.asarray(getattr(parent, last)[...], np.float64).reshape(-1)

    def write(self, role: str, value: np.ndarray) -> None:
        """Write an array of the layer, in the shape that it has."""
        parent, last = self._parent(role)
        variable = getattr(parent, last)
        new = value.astype(np.float32).reshape(variable.shape)
        if isinstance(variable, nnx.Variable):
            variable[...] = new
        else:
            setattr(parent, last, new)

    def call(self, x: np.ndarray, *, training: bool, mask: np.ndarray | None = None) -> np.ndarray:
        """Call the layer on rows (..., D), in its own layout; return y like x."""
        first = self.line.get("layout") == "first"
        native = np.moveaxis(x, -1, 1) if first else x
        more = {} if mask is None else {self.line["wider"]["mask"]: mask}
        y = np.asarray(self._call(native.astype(np.float32), training, more), np.float64)
        return np.moveaxis(y, 1, -1) if first else y

    def _call(self, x: np.ndarray, training: bool, more: Mapping[str, Any]) -> Any:
        flag = self.line.get("flag", "use_running_average")
        value = training == (self.line.get("flag_means", "evaluation") == "training")
        if flag.endswith("()"):
            getattr(self.module, flag[:-2].split("()/")[not training])()
        elif flag.endswith(")"):
            method, keyword = flag[:-1].split("(")
            getattr(self.module, method)(**{keyword: value})
        elif flag.startswith("."):
            setattr(self.module, flag[1:], value)
        elif flag:
            more = {**more, flag: value}
        return self.module(x, **more)


class FunctionDriver(Driver):
    """A pure function of x, the arrays and the mode, that returns y and the new averages."""

    def _build(self, entry: Any) -> Any:
        self.arrays: dict[str, np.ndarray] = {}
        return entry

    def read(self, role: str) -> np.ndarray:
        return self.arrays[role]

    def write(self, role: str, value: np.ndarray) -> None:
        self.arrays[role] = value

    def _call(self, x: np.ndarray, training: bool, more: Mapping[str, Any]) -> Any:
        given = [x, *(self.arrays[role].astype(np.float32) for role in ROLES), training]
        y, *new = self.module(*given, momentum=self.momentum, eps=self.eps, **more)
        self.arrays |= zip(ROLES[2:], (np.asarray(each, np.float64) for each in new), strict=True)
        return y


def drive(name: str) -> Driver:
    """Return a layer or pure function of the table, ready to be called."""
    return (Driver if "line" in TABLE[name] else FunctionDriver)(name)


def expected_step(
    driver: Driver, before: Mapping[str, np.ndarray], x: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return y and the running statistics after a training call, by the declared conventions."""
    declared = TABLE[driver.name].get("declare", {}).get("deviations", ())
    rows = x[kept]
    n, mean, var = len(rows), rows.mean(axis=0), rows.var(axis=0)
    share = 1 - driver.momentum if "MOMENTUM_OF_NEW_VALUE" in declared else driver.momentum
    share = 0.0 if "FIRST_BATCH_REPLACES" in declared else share
    unbiased = var * n / (n - 1) if "UNBIASED_RUNNING_VARIANCE" in declared else var
    after = {
        "running_mean": share * before["running_mean"] + (1 - share) * mean,
        "running_var": share * before["running_var"] + (1 - share) * unbiased,
    }
    return before["gamma"] * (x - mean) / np.sqrt(var + driver.eps) + before["beta"], after


def disagreements(name: str) -> set[str]:
    """Return in what a layer differs from the definition, in a call of each mode per shape."""
    found = set()
    for number, shape in enumerate(BATCHES[drive(name).line.get("ndim", 2)]):
        found |= _disagree(drive(name), np.random.default_rng(number), shape)
    return found


def _disagree(driver: Driver, draw: np.random.Generator, shape: tuple[int, ...]) -> set[str]:
    start = {
        "gamma": draw.normal(size=FEATURES),
        "beta": draw.normal(size=FEATURES),
        "running_mean": draw.normal(size=FEATURES),
        "running_var": draw.uniform(0.5, 2, FEATURES),
    }
    absent = {role for role in ROLES if not driver.attributes[role]}
    before = start | {"gamma": np.ones(5), "beta": np.zeros(5)} if absent else start
    before = {role: start[role] if role not in absent else before[role] for role in ROLES}
    for role in set(ROLES) - absent:
        driver.write(role, before[role])
    x = draw.normal(size=(*shape, FEATURES)) * [1, 0.1, 3, 1, 1] + [0, 1, -2, 5, 0]
    masked = "mask" in driver.line.get("wider", {})
    kept = draw.random(shape) < 0.6 if masked else np.ones(shape, bool)
    mask = None
    if masked:
        mask = kept if driver.line["wider"].get("mask_by_row") else kept[..., None]
    found, modes = set(), driver.line.get("modes", "both")
    if modes != "evaluation":
        y, after = expected_step(driver, before, x, kept)
        got = driver.call(x, training=True, mask=mask)
        found |= {"y in training"} if _far(got[kept], y[kept]) else set()
        for role in set(after) - absent:
            found |= {role} if _far(driver.read(role), after[role]) else set()
    if modes != "training":
        now = {role: before[role] if role in absent else driver.read(role) for role in ROLES}
        y = now["gamma"] * (x - now["running_mean"]) / np.sqrt(now["running_var"] + driver.eps)
        got = driver.call(x, training=False)
        found |= {"y in evaluation"} if _far(got, y + now["beta"]) else set()
        moved = [r for r in set(ROLES) - absent if _far(driver.read(r), now[r])]
        found |= {"state in evaluation"} if moved else set()
    return found


def _far(got: np.ndarray, expected: np.ndarray) -> bool:
    """Tell whether two arrays differ by more than rounding: 1e-4 of the largest value."""
    if got.shape != expected.shape:
        return True
    return not np.allclose(got, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def by_hand(name: str) -> Implementation:
    """Return a layer by the line of the table, with its declarations."""
    given = TABLE[name]["line"] | TABLE[name].get("declare", {})
    given = {key: None if value == "" else value for key, value in given.items()}
    if "wider" in given:
        given["wider"] = Wider(**given["wider"])
    deviations = {Deviation[each] for each in given.pop("deviations", ())}
    return Implementation.nnx(load(name), name=name, deviations=deviations, **given)
