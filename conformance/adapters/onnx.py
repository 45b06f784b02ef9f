"""Drives the ONNX operator BatchNormalization in the reference evaluator of ONNX.

An operator has no state: the adapter keeps the arrays between calls, as a runtime would.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from conformance.adapters.protocols import ARRAYS, Config

_OPSET = 15
"""The version of the operator with one training output per running statistic."""


class OnnxLayer:
    """The four arrays of a layer, each (D,), and the models that compute with them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._arrays = {
            name: np.full(config.features, name in {"gamma", "running_var"}, np.float32)
            for name in ARRAYS
        }

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        training = not use_running_average
        evaluator = _make_evaluator(self._config.momentum, self._config.eps, training)
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
def _make_evaluator(momentum: float, eps: float, training: bool) -> Any:
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

    def declare(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)

    graph = helper.make_graph([node], "layer", [*map(declare, inputs)], [*map(declare, outputs)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    return ReferenceEvaluator(model)
