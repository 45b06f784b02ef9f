"""A batch and a state of distinct numbers, for trying layers without judging them."""

from __future__ import annotations

import numpy as np

from conformance.numerics.state import State

X = np.array([[0, 1, 2], [3, -1, 5], [1, 4, -2], [6, 2, 2]], np.float32)
STATE = State(
    gamma=np.array([2, 3, 4], np.float32),
    beta=np.array([5, 6, 7], np.float32),
    running_mean=np.array([8, 9, 10], np.float32),
    running_var=np.array([11, 12, 13], np.float32),
)
