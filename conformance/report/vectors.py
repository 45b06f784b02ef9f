"""Test vectors: calls with their expected results and proved bounds, for other languages.

``vectors-schema.json`` beside this module is normative; its version is ``VERSION``. are
hexadecimal floats, which every language with a C library reads without rounding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.adapters.protocols import STATISTICS, Config
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.conventions import STRICT
from conformance.numerics.state import State
from conformance.properties.support.running_stats_model import RunningStatsModel
from conformance.strategies.bytestream import ByteReader, expand_seed, integers
from conformance.strategies.cotangents import GRADIENT, cotangents
from conformance.strategies.flags import BETWEEN
from conformance.strategies.palette_cases import cases, mixed_streams
from conformance.strategies.shape_grid import FORWARD_SWEEP_THOROUGH, palette_of

VERSION = 1
FORMAT = "batchnorm-conformance-vectors"
LARGEST = 5_000_000
"""Bytes of a document, at most."""

_ELEMENTS = 2000
"""Numbers in a batch, at most."""

_FLAGS = (*(0.0, 1.0) * 4, *BETWEEN)
_TRAINED = {"y": "BN-TRAIN-1", "running_mean": "BN-EMA-1", "running_var": "BN-EMA-2"}
_EVALUATED = {"y": "BN-EVAL-1", "running_mean": "BN-EVAL-2", "running_var": "BN-EVAL-2"}

Result = tuple[Any, Any]
Vector = dict[str, Any]


def vectors(seed: int, cases_per_class: int, version: str) -> dict[str, Any]:
    """Return the document: as many vectors of each class as asked for, the same ones for a seed.

    Args:
        seed: Selects the cases.
        cases_per_class: The number of vectors in each class.
        version: That of the suite.
    """
    classes: dict[str, Callable[[ByteReader, int], Vector]] = {
        "function": _function,
        "step": _step,
        "gradients": _gradients,
        "sequences": _sequence,
    }
    made = {
        name: [make(_reader(seed, name, number), number) for number in range(cases_per_class)]
        for name, make in classes.items()
    }
    return {"format": FORMAT, "version": VERSION, "suite": version, "seed": seed, "classes": made}


def as_json(document: dict[str, Any]) -> str:
    """Return the document as JSON, one vector a line."""
    head = {name: value for name, value in document.items() if name != "classes"}
    groups = []
    for name, group in document["classes"].items():
        lines = ",\n".join(json.dumps(vector, separators=(",", ":")) for vector in group)
        groups.append(f'"{name}": [\n{lines}\n]')
    joined = ",\n".join(groups)
    return f'{json.dumps(head)[:-1]}, "classes": {{\n{joined}\n}}}}\n'


def _reader(seed: int, name: str, number: int) -> ByteReader:
    raw = hashlib.sha256(f"vectors {seed} {name}".encode()).digest()
    return ByteReader(expand_seed(raw, number + 1))


def _function(reader: ByteReader, number: int) -> Vector:
    """The forward function: a fresh layer with momentum 0.9 and ε = 1e-5, and any flag."""
    small = tuple(e for e in FORWARD_SWEEP_THOROUGH if e.rows * e.features <= _ELEMENTS)
    case = reader.draw(cases((*small, *palette_of(0))))
    flag = _FLAGS[reader.draw(integers(0, len(_FLAGS) - 1))]
    features = case.x.shape[1]
    config = Config(features=features, momentum=0.9, eps=1e-5)
    layer = _Layer(config, State.fresh(features))
    found = layer.call(case.x, flag, {"y": "BN-FWD-3" if flag >= 0.5 else "BN-FWD-2"})
    if flag not in {0.0, 1.0}:
        found["expected"]["y"]["requirement"] = "BN-FLAG-2"
    return layer.vector(f"function-{number}", [found])


def _step(reader: ByteReader, number: int) -> Vector:
    """One call of a layer in some state; training and evaluation in turn."""
    case = reader.draw(cases(palette_of(0)))
    layer = _Layer(case.config, case.state or State.fresh(case.config.features))
    return layer.vector(f"step-{number}", [layer.call(case.x, float(number % 2))])


def _gradients(reader: ByteReader, number: int) -> Vector:
    """The derivatives of Σ w·y; training and evaluation in turn."""
    case = reader.draw(cases(GRADIENT))
    layer = _Layer(case.config, case.state or State.fresh(case.config.features))
    w = reader.draw(cotangents(*case.x.shape))
    return layer.vector(f"gradients-{number}", [layer.differentiated(case.x, w, number % 2)])


def _sequence(reader: ByteReader, number: int) -> Vector:
    """Calls on batches of several sizes, in any mode; errors add up."""
    palette = tuple(e for e in palette_of(0) if e.rows * e.features <= 64)
    case, following = reader.draw(mixed_streams(palette))
    layer = _Layer(case.config, case.state or State.fresh(case.config.features))
    batches, modes = [case.x, *following] * 2, reader.draw(integers(0, 255))
    identities = dict.fromkeys(_TRAINED, "BN-SEQ-1")
    calls = [layer.call(x, float(modes >> at & 1), identities) for at, x in enumerate(batches)]
    return layer.vector(f"sequences-{number}", calls)


class _Layer:
    """A layer by the oracle: its state, and how far the statistics of a correct one may be."""

    def __init__(self, config: Config, state: State) -> None:
        self.config, self.state = config, state
        self.statistics = RunningStatsModel.from_state(config, state, STRICT)

    def call(self, x: Any, flag: float, requirements: dict[str, str] | None = None) -> Vector:
        """Return one call with its expected results, and go on to the state after it."""
        if flag >= 0.5:
            results = {"y": self._evaluated(x)}
            identities = requirements or _EVALUATED
        else:
            truth = oracle.train(self.config, self.state, x)
            results = {"y": (truth.y, bounds.train(self.config, self.state, x).y.allowed)}
            identities = requirements or _TRAINED
            self.statistics.train(x)
        for name, tracked in zip(
            STATISTICS, (self.statistics.mean, self.statistics.var), strict=True
        ):
            error = Bound.of(tracked.allowed).allowed if tracked.allowed.any() else tracked.allowed
            results[name] = tracked.value, error
        return _call(x, flag, {name: (identities[name], *results[name]) for name in identities})

    def differentiated(self, x: Any, w: Any, evaluate: int) -> Vector:
        """Return one call with the gradients for a cotangent w."""
        given = self.config, self.state, x, w
        exact = (oracle.evaluation_gradient if evaluate else oracle.training_gradient)(*given)
        error = (bounds.evaluation_gradient if evaluate else bounds.training_gradient)(*given)
        of_x = "BN-GRAD-4" if evaluate else "BN-GRAD-3"
        results = {
            "dx": (of_x, exact.x, error.x.allowed),
            "dgamma": ("BN-GRAD-2", exact.gamma, error.gamma.allowed),
            "dbeta": ("BN-GRAD-1", exact.beta, error.beta.allowed),
        }
        return _call(x, float(evaluate), results) | {"cotangent": _hex(w)}

    def vector(self, name: str, calls: list[Vector]) -> Vector:
        """Return the vector of some calls, with the state before the first of them."""
        return {
            "name": name,
            "features": self.config.features,
            "momentum": _hex(self.config.momentum),
            "eps": _hex(self.config.eps),
            "state": {name: _hex(array) for name, array in self.state.arrays().items()},
            "calls": calls,
        }

    def _evaluated(self, x: Any) -> Result:
        mean, var = self.statistics.mean, self.statistics.var
        state = self.state.replace(running_mean=mean.value, running_var=var.value)
        given = (mean.value, var.value, mean.allowed, var.allowed)
        x64 = np.asarray(x, np.float64)
        error = bounds.output_error(x64, *given, self.config.eps, state)
        return oracle.evaluate(self.config, state, x), Bound.of(error).allowed


def _call(x: Any, flag: float, results: dict[str, tuple[str, Any, Any]]) -> Vector:
    expected = {
        name: {"requirement": identity, "value": _hex(value), "error": _hex(error)}
        for name, (identity, value, error) in results.items()
    }
    return {"rows": len(x), "flag": _hex(flag), "x": _hex(x), "expected": expected}


def _hex(value: Any) -> Any:
    """Return numbers as hexadecimal floats, an array in row-major order."""
    if np.ndim(value):
        return [_hex(each) for each in np.asarray(value).ravel()]
    if not np.isfinite(value):
        msg = f"{value} is not finite, and cannot be an expected value"
        raise ValueError(msg)
    mantissa, exponent = float(value).hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}"
