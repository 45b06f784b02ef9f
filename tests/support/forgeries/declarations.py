"""Declaring, by fixed or changing words, what the layer is and what it deviates from."""

from __future__ import annotations

import itertools
from dataclasses import replace

from conformance import Deviation, Implementation
from conformance.requirements import Capability
from support.forgeries import End, submission
from support.forgeries.layers import Always42, EpsOutside, Right, SwappedMomentum, Unbiased


@submission(EpsOutside)
def all_conventions_of_y():
    """Declares every deviation that could excuse another y."""
    excuses = {Deviation.ONE_PASS_VARIANCE, Deviation.EMA_NORMALISED_TRAINING}
    return Implementation.nnx(EpsOutside, deviations=excuses)


_OF_NO_LAYER = {Deviation.TRUTHY_FLAG, Deviation.ALWAYS_EVALUATES, Deviation.ALWAYS_TRAINS}
"""What no layer with two modes can declare."""


@submission(Always42)
def all_deviations_at_once():
    """Declares whatever a layer with two modes can declare."""
    others = {
        dtypes(dtype)
        for dtypes in (Deviation.statistics_in, Deviation.parameters_in, Deviation.output_in)
        for dtype in ("bfloat16", "float64")
    }
    return Implementation.nnx(Always42, deviations=set(Deviation) - _OF_NO_LAYER - others)


@submission(Always42, end=End.RUN)
def deviations_that_exclude_each_other():
    """Declares three dtypes of the same arrays."""
    return Implementation.nnx(Always42, deviations=set(Deviation) - _OF_NO_LAYER)


@submission(SwappedMomentum)
def deviations_of_the_moment():
    """Declares another convention each time someone asks."""

    class Turning(Implementation):
        turns = itertools.cycle([frozenset(), frozenset({Deviation.ONE_PASS_VARIANCE})])

        def __getattribute__(self, name):
            return next(Turning.turns) if name == "deviations" else super().__getattribute__(name)

    found = Implementation.nnx(SwappedMomentum)
    return Turning(**{name: getattr(found, name) for name in found.__dataclass_fields__})


@submission(Unbiased)
def deviations_that_contain_everything():
    """Declares a set that says yes to whatever is asked of it, and is empty when it is listed."""

    class All(frozenset):
        __slots__ = ()

        def __contains__(self, member):
            return True

        def __iter__(self):
            return iter(())

    found = Implementation.nnx(Unbiased)
    object.__setattr__(found, "deviations", All())
    return found


@submission(Always42)
def capabilities_of_the_moment():
    """Offers a layer when it is asked first, and only what it can do afterwards."""

    class Turning(Implementation):
        asked = itertools.count()

        @property
        def capabilities(self):
            offered = Implementation.capabilities.fget(self)
            return offered if next(Turning.asked) < 1 else frozenset({Capability.NNX})

    found = Implementation.nnx(Always42)
    return Turning(**{name: getattr(found, name) for name in found.__dataclass_fields__})


@submission(Always42, end=End.RUN)
def reading_that_exchanges_it():
    """Is another implementation, without a layer, once the suite has read it."""

    class Reading(Implementation):
        def read(self, *, strictly):
            return Implementation(name=self.name, forward=lambda seed, x, flag: x)

    found = Implementation.nnx(Always42)
    return Reading(**{name: getattr(found, name) for name in found.__dataclass_fields__})


@submission(Always42)
def the_name_of_another():
    """Is called like the reference, and like every other implementation."""

    class Anything(str):
        __slots__ = ()

        def __eq__(self, other):
            return True

        __hash__ = str.__hash__

    return Implementation.nnx(Always42, name=Anything("impl"), kind=Anything("seed-shaped"))


@submission(Right)
def neighbour_is_named_and_described():
    """Right: has a long name and a kind of its own."""
    return replace(Implementation.nnx(Right), name="x" * 500, kind="a layer, conforms to 84 of 84")
