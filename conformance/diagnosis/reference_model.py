"""A layer in float64 as a class of small steps, each of which an alternative may replace.

The steps are those of the textbook. Without replacements the model is the oracle; with one it
is a layer that makes exactly one mistake, and every consequence of it, such as wrong running
statistics after a wrong batch mean, needs no further code. Deviations that an implementation
declares (see ``conventions``) are part of its steps, not mistakes.

The state before each call is the observed one, so that calls are predicted one by one; whatever
a mistake remembers beyond the state is in ``memory``.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from conformance.diagnosis import formulas
from conformance.diagnosis.approximate import Approximate, Float64, exact, rearrange, root
from conformance.diagnosis.model_state import ModelState
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation

Pair: TypeAlias = tuple[Approximate, Approximate]


class RaisesError(Exception):
    """Raised by a step to predict that the call ends in an exception."""


IMPOSSIBLE = (ValueError, LookupError, ZeroDivisionError, OverflowError)
"""What is raised where shapes, or mistakes, cannot be combined."""


class ReferenceModel(ModelState):
    """One layer, predicted call by call; every method is a step.

    A step is called as a method, ``m.batch_mean(x)``, which is the replacement while the mistake
    is made; ``ReferenceModel.batch_mean(m, x)`` is always the textbook's.
    """

    def call(self, x: Float64, flag: Any, *, compiled: bool = False) -> Approximate:
        """Apply the layer to x and return y; a training call updates the state.

        Args:
            x: The batch, (N, D).
            flag: The flag, as it is passed.
            compiled: Whether the call is under jit.
        """
        self.flag, self.compiled, self.rows = flag, compiled, x.shape[0]
        self.training = not self.evaluates(flag)
        given = self.take_input(x)
        y = self.train_step(given) if self.training else self.evaluate(given)
        self.calls += self.training
        return y

    def refuse_single_row(self, rows: int) -> None:
        """Predict an exception for a training call on N = 1, where that is declared."""
        if rows == 1 and self.conventions.follows(Deviation.SINGLE_ROW_REFUSED):
            raise RaisesError

    def initial_state(self) -> dict[str, Approximate]:
        """Return the four arrays of a fresh layer by name."""
        fresh = State.fresh(self.config.features).arrays()
        return {name: Approximate(array) for name, array in fresh.items()}

    def forward(self, seed: Any, x: Float64, flag: Any) -> Approximate:
        """Apply a fresh layer to x, and return its result, (N·D,).

        Args:
            seed: The seed, as it is passed.
            x: The batch, (N, D).
            flag: The flag, as it is passed.
        """
        del seed
        self.write(self.initial_state())
        self.count = 0 if self.conventions.counts() else None
        return self.flatten(self.call(x, flag))

    def flatten(self, y: Approximate) -> Approximate:
        """Return y row by row, (N·D,)."""
        return rearrange(np.ravel, y)

    def evaluates(self, flag: Any) -> bool:
        """Return whether a flag selects evaluation."""
        if not self.conventions.moves_statistics():  # the mode is fixed
            return self.conventions.always_evaluates()
        return bool(self.conventions.evaluates(flag))

    def take_input(self, x: Float64) -> Approximate:
        """Return x as the layer uses it, (N, D)."""
        return exact(x)

    def input_afterwards(self, x: Float64) -> Any:
        """Return the contents of the caller's array after the call, (N, D)."""
        return x

    def train_step(self, x: Approximate) -> Approximate:
        """Return y of a training call, (N, D), and update the running statistics."""
        self.refuse_single_row(x.shape[0])
        mean, var = self.statistics(x)
        used = self.training_statistics(x, mean, var)
        self.update(x, *self.stored_statistics(x, mean, var))
        if self.conventions.normalises_with_average():
            used = self.running_mean, self.running_var
        return self.output(x, *used)

    def evaluate(self, x: Approximate) -> Approximate:
        """Return y of an evaluation call, (N, D)."""
        return self.output(x, *self.evaluation_statistics(x))

    def statistics(self, x: Approximate) -> Pair:
        """Return the mean and the biased variance of the batch, (D,) each."""
        mean = self.batch_mean(x)
        return mean, self.batch_var(x, mean)

    def batch_mean(self, x: Approximate) -> Approximate:
        """Return μ, (D,)."""
        return formulas.batch_mean(x, self.conventions)

    def batch_var(self, x: Approximate, mean: Approximate) -> Approximate:
        """Return v = mean((x−mean)²), (D,)."""
        return formulas.batch_var(x, mean, self.conventions)

    def training_statistics(self, x: Approximate, mean: Approximate, var: Approximate) -> Pair:
        """Return the mean and variance used to normalize in training, (D,) each."""
        del x
        return mean, var

    def stored_statistics(self, x: Approximate, mean: Approximate, var: Approximate) -> Pair:
        """Return the mean and variance used to update the running statistics, (D,) each."""
        share = self.conventions.share_stored(x.shape[0])
        return mean, var if share == 1 else share * var

    def evaluation_statistics(self, x: Approximate) -> Pair:
        """Return the mean and variance used to normalize in evaluation, (D,) each."""
        del x
        return self.running_mean, self.running_var

    def update(self, x: Approximate, mean: Approximate, var: Approximate) -> None:
        """Store the new running statistics."""
        del x
        if not self.conventions.moves_statistics():
            return
        moved = self.moved_mean(self.running_mean, mean), self.moved_var(self.running_var, var)
        self.running_mean, self.running_var = moved

    def moved_mean(self, old: Approximate, new: Approximate) -> Approximate:
        """Return one step of the running mean, (D,)."""
        return self.moved(old, new)

    def moved_var(self, old: Approximate, new: Approximate) -> Approximate:
        """Return one step of the running variance, (D,)."""
        return self.moved(old, new)

    def moved(self, old: Approximate, new: Approximate, kept: float | None = None) -> Approximate:
        """Return one step of the moving average, (D,), in which ``old`` has the weight ``kept``."""
        return formulas.moving_average(
            old,
            new,
            self.weight_of_old() if kept is None else kept,
            momentum=self.momentum,
            count=self.count,
            conventions=self.conventions,
        )

    def weight_of_old(self) -> float:
        """Return the weight of the running statistic in its next value: m."""
        return self.conventions.weight_of_old(self.momentum, self.count)

    def output(self, x: Approximate, mean: Approximate, var: Approximate) -> Approximate:
        """Normalize, scale and shift: y, (N, D)."""
        return self.finish(self.affine(self.normalized(x, mean, var)))

    def normalized(self, x: Approximate, mean: Approximate, var: Approximate) -> Approximate:
        """Return z = (x−mean)/√(var+ε), (N, D)."""
        return formulas.normalize(x, mean, self.inverse_std(var))

    def inverse_std(self, var: Approximate) -> Approximate:
        """Return 1/√(var+ε), (D,)."""
        return 1 / root(formulas.add_eps(var, self.epsilon()))

    def epsilon(self) -> float:
        """Return ε."""
        return self.eps

    def affine(self, z: Approximate) -> Approximate:
        """Return γ·z + β, (N, D)."""
        return formulas.affine(z, self.scale(), self.shift(), self.conventions)

    def scale(self) -> Approximate:
        """Return the factor of z: γ, (D,)."""
        return self.gamma

    def shift(self) -> Approximate:
        """Return the term added to γ·z: β, (D,)."""
        return self.beta

    def finish(self, y: Approximate) -> Approximate:
        """Return y as the layer returns it, (N, D)."""
        return y
