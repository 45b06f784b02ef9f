"""Layers of a script, and checks shared by recipes.

Every step is written, and simulated here with the state of a correct layer, from which the bound of
each call is computed. It is the bound of the finding, unless it depends on earlier calls: then that
of the finding was computed from the values in the faulty layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS, Config
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import TrainingBounds
from conformance.numerics.conventions import Conventions
from conformance.numerics.state import State
from conformance.report.reproducers.script import Script
from conformance.requirements.deviations import Deviation
from conformance.strategies.case import Case


@dataclass(slots=True)
class Live:
    """A layer in a script: its variable, its configuration, and the state of a correct one.

    ``momentum`` and ``eps`` are source text.
    """

    script: Script
    name: str
    config: Config
    state: State
    momentum: str
    eps: str

    def trained(self, x: Any) -> TrainingBounds:
        """Simulate a training call, and return its bounds."""
        found = bounds.train(self.config, self.state, x, conventions_of(self.script))
        after = oracle.train(self.config, self.state, x, conventions_of(self.script))
        moved = {name: getattr(after, name).astype(np.float32) for name in STATISTICS}
        self.state = self.state.replace(**moved)
        return found

    def training(self, x: str, before: str, exact: str = "") -> str:
        """Return the text of the results of a training call; ``exact`` names the arithmetic."""
        more = f", exact={exact}" * bool(exact)
        return f"training_call({x}, {before}, {self.momentum}, {self.eps}{more})"

    def evaluation(self, x: str, state: str, exact: str = "") -> str:
        """Return the text of the result of an evaluation call; ``exact`` names the arithmetic."""
        more = f", exact={exact}" * bool(exact)
        return f"evaluation_call({x}, {state}, {self.eps}{more})"


def conventions_of(script: Script) -> Conventions:
    """Return the conventions that the layer declares."""
    return Conventions(frozenset(Deviation[name] for name in script.blueprint.deviations))


def build(
    script: Script,
    config: Config,
    state: State | None = None,
    name: str = "layer",
    arguments: str = "",
) -> Live:
    """Build a layer, and write a state to it unless it stays fresh.

    Args:
        script: The script.
        config: The configuration.
        state: The state to write; None for a fresh layer.
        name: The variable of the layer.
        arguments: The text of further arguments for the constructor.
    """
    momentum, eps = script.let("momentum", config.momentum), script.let("eps", config.eps)
    more = "" if state is None else f", {script.let('state', state)}"
    seed = f", seed={config.seed}" * bool(config.seed)
    also = f", {arguments}" * bool(arguments)
    script(f"{name} = build({config.features}, {momentum}, {eps}{more}{seed}{also})")
    held = state or State.fresh(config.features)
    return Live(script, name, config, held, momentum, eps)


def start(script: Script, case: Case, name: str = "layer", before: str = "before") -> Live:
    """Build the layer of a case, and read its state."""
    live = build(script, case.config, case.state, name)
    read(live, before)
    return live


def read(live: Live, into: str) -> None:
    """Read the state of a layer; each array must be (D,)."""
    live.script(f"{into} = read({live.name})")
    for name in ARRAYS:
        live.script.numeric(name, f'{into}["{name}"]')
    for name in ARRAYS:
        shape = f'{into}["{name}"].shape'
        live.script.same(f"shape of {name}", shape, f"({live.config.features},)")


def handed(script: Script, case: Case, name: str = "x") -> str:
    """Return the text of the batch as it is passed: a copy, or a JAX array."""
    chosen = script.let(name, case.x)
    return f"jnp.asarray({chosen})" if case.as_jax else f"{chosen}.copy()"


def rebuilt(live: Live, name: str, before: str = "before", config: Config | None = None) -> Live:
    """Build another layer in the state that was read from the first.

    Args:
        live: The first layer.
        name: The variable of the other layer.
        before: The variable of the state.
        config: Its configuration; None for that of the first.
    """
    script, chosen = live.script, config or live.config
    momentum, eps = script.let("momentum", chosen.momentum), script.let("eps", chosen.eps)
    script(f"{name} = build({chosen.features}, {momentum}, {eps}, {before})")
    return Live(script, name, chosen, live.state, momentum, eps)


def train(live: Live, x: str, value: Any, into: str = "") -> TrainingBounds:
    """Train once; store y in the variable ``into``, if there is one."""
    live.script(
        f"{into} = np.array(train({live.name}, {x}))" if into else f"train({live.name}, {x})"
    )
    return live.trained(value)


def check_training(live: Live, case: Case, before: str, flag: str = "") -> None:
    """Train once from ``before``; y and both running statistics must be correct."""
    script, x = live.script, handed(live.script, case)
    called = f"call({live.name}, {x}, {flag})" if flag else f"train({live.name}, {x})"
    script(f"y = np.array({called})")
    check_trained(live, script.let("x", case.x), before, "y", live.trained(case.x))


def check_trained(
    live: Live,
    x: str,
    before: str,
    y: str,
    bound: TrainingBounds,
    *,
    what: str = "y in training",
    of: str = "",
    after: str = "",
) -> None:
    """Compare the results of a training call.

    Args:
        live: The layer.
        x: The text of the batch.
        before: The variable of the state before the call.
        y: The text of the output; empty to leave it out.
        bound: The bounds of a correct layer.
        what: The quantity of the output.
        of: A suffix of the quantities of the statistics.
        after: The variable of the state after the call; empty to read it.
    """
    expected = live.training(x, before)
    if y:
        live.script.within(what, y, f'{expected}["y"]', bound.y)
    for name in STATISTICS:
        limit = getattr(bound, name)
        got = f'{after or f"read({live.name})"}["{name}"]'
        live.script.within(f"{name}{of}", got, f'{expected}["{name}"]', limit)


def check_evaluation(live: Live, case: Case, flag: str = "") -> None:
    """Evaluate with the current state of the layer; y must be correct."""
    x = handed(live.script, case)
    read(live, "now")
    called = f"call({live.name}, {x}, {flag})" if flag else f"evaluate({live.name}, {x})"
    live.script(f"y = np.array({called})")
    check_evaluated(live, live.script.let("x", case.x), case.x, "y", "now")


def check_evaluated(live: Live, x: str, value: Any, y: str, now: str) -> None:
    """Compare an output of evaluation."""
    bound = bounds.evaluate(live.config, live.state, value, conventions_of(live.script))
    live.script.within("y in evaluation", y, live.evaluation(x, now), bound)


def kept_names(evaluate: int) -> tuple[str, ...]:
    """Return the arrays that a call must leave unchanged."""
    return ARRAYS if evaluate else PARAMETERS


@dataclass(slots=True)
class History:
    """The training calls on a layer so far, and the check of its running statistics after them."""

    live: Live
    before: str
    batches: list[str]

    def train(self, x: str) -> None:
        """Record one training call, whoever makes it."""
        self.batches.append(x)

    def check(self) -> None:
        """Compare both running statistics."""
        self.check_after(f"[{', '.join(self.batches)}]", len(self.batches))

    def check_after(self, batches: str, calls: int) -> None:
        """Compare both running statistics after calls on the batches of a list."""
        expected = f"follow({batches}, {self.before}, {self.live.momentum})"
        for name in STATISTICS:
            got = f'read({self.live.name})["{name}"]'
            quantity = f"{name} after {calls} training calls"
            self.live.script.within(quantity, got, f'{expected}["{name}"]')
