"""Driving the operator BatchNormalization of ONNX in its reference evaluator.

An operator holds nothing: the adapter keeps the arrays between calls, as a runtime would.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from conformance.adapters.protocols import ARRAYS, Config
from conformance.numerics.state import State

_OPSET = 15
"""The version of the operator with one training output per running statistic."""


class OnnxLayer:
    """The arrays of a layer and the two models that compute with them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._arrays = State.fresh(config.features).arrays()

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        training = not use_running_average
        evaluator = _evaluator(self._config.momentum, self._config.eps, training)
        y, *statistics = evaluator.run(None, {"x": np.array(x), **self._arrays})
        for name, value in zip(ARRAYS[2:], statistics, strict=False):
            self._arrays[name] = value
        return y

    def read(self) -> dict[str, Any]:
        return {name: np.array(value) for name, value in self._arrays.items()}

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        self._arrays |= {name: np.array(value) for name, value in values.items()}


build = OnnxLayer


@cache
def _evaluator(momentum: float, eps: float, training: bool) -> Any:
    inputs = ["x", *ARRAYS]
    outputs = ["y", "running_mean_after", "running_var_after"] if training else ["y"]
    node = helper.make_node(
        "BatchNormalization",
        inputs,
        outputs,
        epsilon=eps,
        momentum=momentum,
        training_mode=int(training),
    )

    def value(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)

    graph = helper.make_graph([node], "layer", [*map(value, inputs)], [*map(value, outputs)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    return ReferenceEvaluator(model)
