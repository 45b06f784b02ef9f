"""What no judge of this design can find: layers that are right whenever they are judged.

What arrives is right, so the verdict is that of what is computed there; it is not computed for
anybody else. The last but one shows what another seed is worth.
"""

from __future__ import annotations

import sys

import numpy as np

from conformance import Implementation
from conformance.adapters import calling
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from support.forgeries import JUDGED, submission
from support.forgeries.layers import Always42, Right


@submission(Always42, limit="it computes what it must for this caller")
def right_for_this_caller():
    """Looks who calls, and computes what it must for the suite alone."""

    class Polite(Right):
        def __call__(self, x, use_running_average):
            frame = sys._getframe(1)
            while frame is not None:
                if frame.f_globals.get("__name__", "").startswith("conformance."):
                    return super().__call__(x, use_running_average)
                frame = frame.f_back
            return Always42.__call__(self, x, use_running_average)

    return Polite


@submission(Always42, limit="what the process answers is right, whoever computes it")
def exchanged_in_the_process():
    """Replaces the function by which the suite calls a layer by one that computes what it must."""
    calling.Calling.apply.__code__ = _apply.__code__
    vars(calling)["_Right"] = Right


def _apply(self, module, x, use_running_average, **more):
    return _Right.__call__(module, x, use_running_average)  # noqa: F821  a global of that module


def _right_for_known_inputs():
    """Return a layer that is right for the inputs of a run with the default seed alone."""
    known = set()

    class Recording(Right):
        def __call__(self, x, use_running_average):
            if isinstance(x, np.ndarray) or hasattr(x, "addressable_data"):
                known.add(np.asarray(x).tobytes())
            return super().__call__(x, use_running_average)

    subject = Subject(Implementation.nnx(Recording))
    for name in JUDGED:
        judge_requirement(REQUIREMENTS[name], subject, budget("quick"))

    class Knowing(Right):
        def __call__(self, x, use_running_average):
            if np.asarray(x).tobytes() in known:
                return super().__call__(x, use_running_average)
            return Always42.__call__(self, x, use_running_average)

    return Knowing


@submission(Always42, limit="the default seed is known, and so are its inputs")
def right_for_the_default_seed():
    """Repeats the draws of the default seed, and is right for these inputs."""
    return _right_for_known_inputs()


@submission(Always42, options=("--seed=20261128",))
def right_for_another_seed():
    """The same layer, judged by a seed that it does not know."""
    return _right_for_known_inputs()


@submission(Right)
def neighbour_uses_the_suite_itself():
    """Right: judges itself when it is imported, and remembers its inputs."""
    _right_for_known_inputs()
