"""A layer in float64 as a sequence of named steps, each of which an alternative may replace.

The steps are those of the textbook. Without replacements the model is the oracle; with one it
is a layer that makes exactly one mistake, and every consequence of it, such as wrong running
statistics after a wrong batch mean, comes without further code.

The model is told the state before each call as it was observed, so that calls are predicted one
by one; what a mistake remembers beyond the state is in ``memory``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from conformance.adapters.protocols import ARRAYS, Config
from conformance.diagnosis.approximate import Approximate, exact
from conformance.diagnosis.textbook import TEXTBOOK, RaisesError
from conformance.numerics.bounds import Accuracy
from conformance.numerics.state import State

__all__ = ["Model", "Pair", "RaisesError", "Step", "Steps"]

Step: TypeAlias = Callable[..., Any]
Steps: TypeAlias = Mapping[str, Step]
Pair: TypeAlias = tuple[Approximate, Approximate]


@dataclass
class Model:
    """One layer whose steps are ``steps``, or the textbook's where there is no replacement.

    ``gamma`` to ``running_var`` are (D,) and hold the state; a call replaces them. ``flag`` is
    the flag as given, ``compiled`` whether the call is under jit, ``calls`` how many training
    calls of this layer came before, ``active``
    whether the mistake is made in this call, ``container`` how x was handed
    over, ``forwarding`` whether a forward function is called and not a layer, ``count`` the number
    of updates behind the statistics where a declaration makes it matter.
    """

    config: Config
    accuracy: Accuracy
    steps: Steps = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    calls: int = 0
    count: Any = None
    flag: Any = False
    compiled: bool = False
    training: bool = True
    rows: int = 0
    active: bool = True
    container: str = "C"
    forwarding: bool = False
    gamma: Approximate = field(init=False)
    beta: Approximate = field(init=False)
    running_mean: Approximate = field(init=False)
    running_var: Approximate = field(init=False)

    def hold(self, state: State | Mapping[str, Approximate]) -> None:
        """Take over a state, exactly as it was observed."""
        arrays = state.arrays() if isinstance(state, State) else state
        self.count = state.count if isinstance(state, State) else self.count
        for name, array in arrays.items():
            setattr(self, name, exact(array))

    def held(self) -> dict[str, Approximate]:
        """Return the four arrays by name."""
        return {name: getattr(self, name) for name in ARRAYS}

    @property
    def momentum(self) -> float:
        """The weight of the old value."""
        return self.config.momentum

    @property
    def eps(self) -> float:
        """What is added to the variance."""
        return self.config.eps

    def do(self, step: str, *given: Any) -> Any:
        """Perform a step: the replacement while the mistake is active, else the textbook's."""
        function = self.steps.get(step) if self.active else None
        return (function or TEXTBOOK[step])(self, *given)

    def call(self, x: Any, flag: Any, *, compiled: bool = False) -> Approximate:
        """Apply the layer to x, (N, D), and return y; the state moves."""
        self.flag, self.compiled, self.rows = flag, compiled, x.shape[0]
        self.training = not self.do("evaluates", flag)
        y: Approximate = self.do("train" if self.training else "evaluate", self.do("input", x))
        self.calls += self.training
        return y
