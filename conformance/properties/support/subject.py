"""The implementation under test, as properties act on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config
from conformance.numerics.conventions import Conventions
from conformance.numerics.state import State
from conformance.properties.support.checks import check_true
from conformance.properties.support.layer_handle import (
    CONSTRUCT,
    AnyArray,
    LayerHandle,
    as_numpy,
    calling,
)
from conformance.strategies.case import Case


@dataclass(frozen=True)
class Subject:
    """The implementation under test, and the conventions that it is judged by."""

    implementation: Implementation

    @cached_property
    def conventions(self) -> Conventions:
        """The declared conventions."""
        return Conventions(self.implementation.deviations)

    def build(self, config: Config, state: State | None = None) -> LayerHandle:
        """Construct a layer and, unless it is to stay fresh, set its state.

        Args:
            config: The configuration of the layer.
            state: Four arrays of (D,); None for a fresh layer.
        """
        build = self.implementation.build
        assert build is not None, "gated by Capability.LAYER"  # noqa: S101
        with calling(CONSTRUCT, f"momentum={config.momentum}, eps={config.eps}"):
            layer = build(self.conventions.constructed(config))
        live = LayerHandle(layer, config, self.conventions)
        if state is not None:
            live.write(state)
        return live

    def start(self, case: Case) -> tuple[LayerHandle, State, Any]:
        """Return a layer in the state of the case, that state read back, and x, (N, D).

        Raises:
            ViolationFound: The layer fails, or its state has the wrong shape or count.
        """
        layer = self.build(case.config, case.state)
        before = layer.usable_state
        if self.conventions.counts():
            fresh = case.state is None
            check_true(
                "count before the first call",
                bool(before.count == 0) == fresh,
                got=str(before.count),
                expected="0" if fresh else "the number of updates behind what was written, not 0",
            )
        return layer, before, self.input(case)

    def input(self, case: Case) -> Any:
        """Return x, (N, D), in the container that the case asks for."""
        if not case.as_jax:
            return case.x.copy()
        from conformance.adapters.device_put import put_on_device  # noqa: PLC0415  imports JAX

        return put_on_device(case.x)[0]

    def forward(self, seed: Any, x: Any, flag: Any) -> AnyArray:
        """Call the forward function on x, (N, D), and return a copy of its result.

        Args:
            seed: The seed, which may be any number.
            x: The batch, (N, D).
            flag: The value of ``use_running_average``.
        """
        forward = self.implementation.forward
        assert forward is not None, "gated by Capability.FORWARD"  # noqa: S101
        with calling("forward", f"seed={seed!r}, use_running_average={flag!r}"):
            return as_numpy("the result", forward(seed, x, flag))

    def train_then_evaluate(self, layer: LayerHandle, x: Any) -> tuple[AnyArray, AnyArray]:
        """Train, then evaluate, on a shape that is used once.

        A layer that can be compiled is, because compiling one program for a new shape costs
        a third of compiling each of its operations.

        Args:
            layer: The layer.
            x: The batch, (N, D).

        Returns:
            y of each of the two calls, (N, D).
        """
        if not self.implementation.nnx_module:
            return layer.train(x), layer.evaluate(x)
        with calling("the compiled call"):
            trained, evaluated = self.jitted_both(layer.module, x)
        return as_numpy("y", trained), as_numpy("y", evaluated)

    @cached_property
    def jitted_both(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        """``nnx.jit`` of a training call followed by an evaluation call."""
        from flax import nnx  # noqa: PLC0415  only NNX layers need it

        from conformance.adapters.nnx import apply  # noqa: PLC0415

        def both(module: Any, x: Any) -> tuple[Any, Any]:
            return apply(module, x, False), apply(module, x, True)

        return cast("Callable[[Any, Any], tuple[Any, Any]]", nnx.jit(both))

    @cached_property
    def jitted(self) -> Callable[[Any, Any, bool], Any]:
        """``nnx.jit`` of a call, with the flag static; shared by all properties."""
        from flax import nnx  # noqa: PLC0415  only NNX properties need it

        from conformance.adapters.nnx import apply  # noqa: PLC0415

        return cast("Callable[[Any, Any, bool], Any]", nnx.jit(apply, static_argnums=2))
