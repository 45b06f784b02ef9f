"""Implementations that describe themselves falsely."""

from conformance import Deviation, Implementation
from support.numpy_norm import NumpyNorm

module = Implementation(name="lie", build=NumpyNorm, nnx_module=True)
deviates = Implementation(
    name="[bold]\x1b[2J\x07</td><script>",
    build=NumpyNorm,
    deviations=frozenset({Deviation.ONE_PASS_VARIANCE}),
)
NAMES = {"[bold red]x[/] \x1b[2J\u202e<script>&": deviates}
