"""Layers that answer in the place of their process when they are called."""

from __future__ import annotations

import gc
import os
from typing import Any

from conformance.adapters.operations.wire import encode
from conformance.engine.sandbox.channel import Channel
from support.numpy_norm import NumpyNorm, implementation

ANSWERS = {
    "part": (1 << 16).to_bytes(4, "little") + b"[",
    "text": b"\x04\0\0\0oops",
    "sentence": encode("conforms"),
    "verdict": encode({"outcome": "conforms"}),
    "too_few": encode([]),
    "too_many": encode([None] * 99),
    "half_a_failure": encode({"before": [], "failed": ["text"]}),
    "late_failure": encode({"before": [None] * 99, "failed": ["text", True, False, ""]}),
    "objects": (21).to_bytes(4, "little") + b'[{"a":["O",[1]]},[8]]' + b"12345678",
}


def _answering(answer: bytes) -> Any:
    class Answering(NumpyNorm):
        def __call__(self, x: Any, use_running_average: Any) -> Any:
            for found in gc.get_objects():
                if isinstance(found, Channel):
                    os.write(found._writing, answer)
            return super().__call__(x, use_running_average)

    return implementation(Answering)


globals().update({name: _answering(answer) for name, answer in ANSWERS.items()})
