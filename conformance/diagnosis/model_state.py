"""The state of a modelled layer, and the steps that a mistake replaces in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MethodType
from typing import Any, TypeAlias

from conformance.adapters.protocols import ARRAYS, Config
from conformance.diagnosis.approximate import Approximate, exact
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State

Step: TypeAlias = Callable[..., Any]
Steps: TypeAlias = Mapping[str, Step]


@dataclass
class ModelState:
    """What one layer is built with, and what it is at one call.

    Attributes:
        config: What the layer is constructed with.
        conventions: What the implementation declares.
        memory: What a mistake remembers from call to call.
        calls: The number of earlier training calls of this layer.
        count: The number of updates of the statistics, where a declaration depends on it.
        flag: The flag as it was passed.
        compiled: Whether the call is under jit.
        training: Whether it is a training call.
        rows: N.
        container: The form in which x was passed.
        around: The lengths of the axes around the features of x, if there are several.
        axis: The feature axis among them.
        mode: The mode in which the module was put: whether it evaluates; None for none.
        forwarding: Whether a forward function is called, and not a layer.
        installed: The replaced steps of the present call by name; each receives the model first.
        gamma: γ, (D,); a call reads it.
        beta: β, (D,); a call reads it.
        running_mean: The running mean, (D,); a call replaces it.
        running_var: The running variance, (D,); a call replaces it.
    """

    config: Config
    conventions: Conventions = STRICT
    memory: dict[str, Any] = field(default_factory=dict)
    calls: int = 0
    count: Any = None
    flag: Any = False
    compiled: bool = False
    training: bool = True
    rows: int = 0
    container: str = "C"
    around: tuple[int, ...] = ()
    axis: int = -1
    mode: bool | None = None
    forwarding: bool = False
    installed: Steps = field(default_factory=dict)
    gamma: Approximate = field(init=False)
    beta: Approximate = field(init=False)
    running_mean: Approximate = field(init=False)
    running_var: Approximate = field(init=False)

    def install(self, steps: Steps) -> None:
        """Replace steps of the textbook by others, and no further ones."""
        for name in self.installed:
            self.__dict__.pop(name, None)
        self.installed = steps
        for name, step in steps.items():
            self.__dict__[name] = MethodType(step, self)

    def write(self, state: State | Mapping[str, Approximate]) -> None:
        """Set the four arrays by name, and the number of updates if the state has it."""
        arrays = state.arrays() if isinstance(state, State) else state
        self.count = state.count if isinstance(state, State) else self.count
        for name, array in arrays.items():
            setattr(self, name, exact(array))

    def read(self) -> dict[str, Approximate]:
        """Return the four arrays by name."""
        return {name: getattr(self, name) for name in ARRAYS}

    @property
    def momentum(self) -> float:
        """The weight of the old value."""
        return self.config.momentum

    @property
    def eps(self) -> float:
        """The constant that is added to the variance."""
        return self.config.eps
