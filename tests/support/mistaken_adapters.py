"""Adapters with one of the usual mistakes each, around the layer in NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.adapters.protocols import COUNT, MANY
from support.numpy_norm import NumpyNorm


class MomentumNotPassed(NumpyNorm):
    def __init__(self, config):
        super().__init__(replace(config, momentum=0.99))


class EpsNotPassed(NumpyNorm):
    def __init__(self, config):
        super().__init__(replace(config, eps=1e-5))


class Inverted(NumpyNorm):
    def __call__(self, x, use_running_average):
        return super().__call__(x, not use_running_average)


class AlwaysTraining(NumpyNorm):
    def __call__(self, x, _):
        return super().__call__(x, False)


class AlwaysEvaluating(NumpyNorm):
    def __call__(self, x, _):
        return super().__call__(x, True)


class WriteToNowhere(NumpyNorm):
    """What is written is kept for reading, and computed with nowhere."""

    shown: dict | None = None

    def read(self):
        return self.shown or super().read()

    def write(self, values):
        self.shown = super().read() | {name: np.array(value) for name, value in values.items()}


class GammaNotWritten(WriteToNowhere):
    def write(self, values):
        super().write(values)
        NumpyNorm.write(self, {name: v for name, v in values.items() if name != "gamma"})


class Exchanged(NumpyNorm):
    """Reading and writing exchange the same two arrays, so a round trip shows nothing."""

    names = ("gamma", "beta")

    def _exchanged(self, values):
        one, other = self.names
        turned = {one: other, other: one}
        return {turned.get(name, name): value for name, value in values.items()}

    def read(self):
        return self._exchanged(super().read())

    def write(self, values):
        super().write(self._exchanged(values))


class StatisticsExchanged(Exchanged):
    names = ("running_mean", "running_var")


class Forgetful(NumpyNorm):
    """Each call starts from what was written last."""

    start: dict | None = None

    def write(self, values):
        super().write(values)
        self.start = super().read()

    def __call__(self, x, use_running_average):
        if self.start is not None:
            self.arrays = {name: array.copy() for name, array in self.start.items()}
        return super().__call__(x, use_running_average)


class StandardDeviation(NumpyNorm):
    """What is stored as running_var is its root, translated on neither way."""

    def __call__(self, x, use_running_average):
        self.arrays["running_var"] = self.arrays["running_var"] ** 2
        y = super().__call__(x, use_running_average)
        self.arrays["running_var"] = np.sqrt(self.arrays["running_var"])
        return y


class ThreeTurned(Exchanged):
    """Taken by position, in the framework's order."""

    turned = ("beta", "running_mean", "gamma")

    def _exchanged(self, values):
        to = dict(zip(("gamma", "beta", "running_mean"), self.turned, strict=True))
        return {to.get(name, name): value for name, value in values.items()}

    def write(self, values):
        back = dict(zip(self.turned, ("gamma", "beta", "running_mean"), strict=True))
        NumpyNorm.write(self, {back.get(name, name): value for name, value in values.items()})


class RootOfEps(NumpyNorm):
    def __init__(self, config):
        super().__init__(replace(config, eps=config.eps**0.5))


class ModeOfFirstCall(NumpyNorm):
    mode = None

    def __call__(self, x, use_running_average):
        self.mode = use_running_average if self.mode is None else self.mode
        return super().__call__(x, self.mode)


class FoldedOnce(NumpyNorm):
    """Evaluation keeps the arrays of the first one."""

    folded: dict | None = None

    def __call__(self, x, use_running_average):
        if not use_running_average:
            return super().__call__(x, use_running_average)
        now = self.arrays
        self.arrays = self.folded = self.folded or super().read()
        y = super().__call__(x, use_running_average)
        self.arrays = now
        return y


class Counted(NumpyNorm):
    """The first batch replaces the statistics, as is to be declared; the count is state."""

    def __init__(self, config):
        super().__init__(config)
        self.arrays[COUNT] = np.array(0)

    def __call__(self, x, use_running_average):
        y = super().__call__(x, use_running_average)
        self.arrays[COUNT] = self.arrays[COUNT] + (not use_running_average)
        return y

    def update(self, old, new):
        return super().update(old, new) if self.arrays[COUNT] else new

    def write(self, values):
        super().write({COUNT: np.array(MANY), **values})


class CountNotWritten(Counted):
    def write(self, values):
        super().write({name: value for name, value in values.items() if name != COUNT})


class CountAlwaysZero(Counted):
    def read(self):
        return super().read() | {COUNT: np.array(0)}


class Cumulative(NumpyNorm):
    """An average of all batches so far, whose number is neither read nor written."""

    calls = 0

    def update(self, old, new):
        return old + (new - old) / np.float32(self.calls)

    def __call__(self, x, use_running_average):
        self.calls += not use_running_average
        return super().__call__(x, use_running_average)


class KeepsWhatItIsGiven(NumpyNorm):
    """Written arrays are kept and moved in place, as ``torch.from_numpy`` would have it."""

    def write(self, values):
        self.arrays |= values

    def __call__(self, x, use_running_average):
        own = dict(self.arrays)
        y = super().__call__(x, use_running_average)
        for name, array in own.items():
            array[...] = self.arrays[name]
        self.arrays = own
        return y


class FeaturesIgnored(NumpyNorm):
    def __init__(self, config):
        super().__init__(replace(config, features=3))


class Transposed(NumpyNorm):
    def __call__(self, x, use_running_average):
        return super().__call__(x, use_running_average).T


class ReturnsState(NumpyNorm):
    def __call__(self, x, use_running_average):
        return super().__call__(x, use_running_average), self.arrays


class OtherNames(NumpyNorm):
    def read(self):
        return {"weight": self.arrays["gamma"], "bias": self.arrays["beta"]}


class RootOnRead(NumpyNorm):
    def read(self):
        return super().read() | {"running_var": np.sqrt(self.arrays["running_var"])}


class WriteForgetsVariance(NumpyNorm):
    def write(self, values):
        super().write({name: v for name, v in values.items() if name != "running_var"})


class WriteRaises(NumpyNorm):
    def write(self, values):
        self.arrays["gama"][...] = values["gamma"]


class WithoutWrite(NumpyNorm):
    write = None


class Built(NumpyNorm):
    """Built when it is first called."""

    def read(self):
        return {}


class SharedByDefault(NumpyNorm):
    """Fresh layers have the same running mean, which calls move in place."""

    first = np.zeros(3, np.float32)

    def __init__(self, config):
        super().__init__(config)
        if config.features == 3:
            self.arrays["running_mean"] = self.first

    def __call__(self, x, use_running_average):
        stored = self.arrays["running_mean"]
        y = super().__call__(x, use_running_average)
        stored[...] = self.arrays["running_mean"]
        self.arrays["running_mean"] = stored
        return y


class ReadsViews(NumpyNorm):
    """Reading returns the very arrays that calls move in place."""

    def update(self, old, new):
        old[...] = super().update(old, new)
        return old

    def read(self):
        return dict(self.arrays)
