"""Implementations that say of themselves what is not so."""

import numpy as np
from flax import nnx
from numpy_norm import NumpyNorm

from conformance import Deviation, Implementation


class Blind(nnx.Module):
    """A module of the known shape, whose constructor takes anything and keeps nothing."""

    def __init__(self, d, momentum, eps, rngs):
        self.gamma = self.beta = self.running_mean = self.running_var = np.zeros(d, np.float32)

    def __call__(self, x, use_running_average):
        return x


module = Implementation(name="lie", build=NumpyNorm, nnx_module=True)
deviates = Implementation(
    name="[bold]\x1b[2J\x07</td><script>",
    build=NumpyNorm,
    deviations=frozenset({Deviation.ONE_PASS_VARIANCE}),
)
NAMES = {"[bold red]x[/] \x1b[2J\u202e<script>&": deviates}
