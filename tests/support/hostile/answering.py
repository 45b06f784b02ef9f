"""Calls that return something else than y."""

import jax
import numpy as np

from support.numpy_norm import NumpyNorm, implementation


class Shape(NumpyNorm):
    """Returns y without its last row."""

    def __call__(self, x, use_running_average):
        return super().__call__(x, use_running_average)[:-1]


class DType(NumpyNorm):
    """Returns whole numbers."""

    def __call__(self, x, use_running_average):
        return super().__call__(x, use_running_average).astype(np.int8)


class Text(NumpyNorm):
    """Returns a string."""

    def __call__(self, x, use_running_average):
        return "[bold]y[/] \x1b[31m<script>alert(1)</script>"


class Nothing(NumpyNorm):
    """Forgets to return."""

    def __call__(self, x, use_running_average):
        super().__call__(x, use_running_average)


class Generator(NumpyNorm):
    """Yields."""

    def __call__(self, x, use_running_average):
        yield x


class Tracer(NumpyNorm):
    """Returns a tracer that has outlived its trace."""

    def __call__(self, x, use_running_average):
        leaked = []
        jax.jit(lambda t: leaked.append(t) or t)(np.asarray(x))
        return leaked[0]


class Object(NumpyNorm):
    """Returns an object that interrupts whoever converts it."""

    def __call__(self, x, use_running_average):
        class Trap:
            def __array__(self, *args, **kwargs):
                raise KeyboardInterrupt

        return Trap()


class NaN(NumpyNorm):
    """Returns NaN wherever y would be."""

    def __call__(self, x, use_running_average):
        return super().__call__(x, use_running_average) * np.float32("nan")


class NoState(NumpyNorm):
    """Reads its state as a list of names without values."""

    def read(self):
        return {"gamma": None, "beta": object(), "running_mean": iter(()), "running_var": "1"}


class Fickle(NumpyNorm):
    """Differs on each call."""

    calls = 0

    def __call__(self, x, use_running_average):
        Fickle.calls += 1
        return super().__call__(x, use_running_average) + np.float32(Fickle.calls % 7)


shape, dtype, text, nothing, generator, tracer, object_, nan, no_state, fickle = map(
    implementation, (Shape, DType, Text, Nothing, Generator, Tracer, Object, NaN, NoState, Fickle)
)
