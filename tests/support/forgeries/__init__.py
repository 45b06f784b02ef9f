"""Submissions that try to forge their verdict, and honest neighbours that do much the same.

Each forgery computes something wrong, as one of the layers in ``layers`` does, and tampers with
whatever could say so. Importing these modules does nothing: a submission acts when the suite
resolves its name, ``module:attribute``, or in its calls. ``runs`` judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from importlib import import_module
from typing import Any

from conformance import Implementation

KINDS = (
    "suite",
    "enums",
    "numpy_patches",
    "frameworks",
    "interpreter",
    "tracing",
    "raising",
    "arrays",
    "answers",
    "secrets_of_the_judge",
    "executor",
    "channel",
    "processes",
    "files",
    "declarations",
    "clocks",
    "facts",
    "limits",
)
"""The modules of submissions, in the order of presentation."""


JUDGED = ("BN-EVAL-1", "BN-TRAIN-1", "BN-EMA-1", "BN-EPS-1")
"""The requirements that most submissions are judged by; it takes two seconds."""


class End(Enum):
    """How judging a submission must end."""

    VERDICT = "verdict"
    """Each requirement gets the verdict of what the layer computes."""
    LOSS = "loss"
    """The attempt ends its own process: a violation, and then possibly no further judging."""
    RUN = "run"
    """The attempt ends or cripples the whole run, which must not end as if all were well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A submission and what must become of it.

    Attributes:
        name: How the command line names it, ``module:attribute``.
        layer: The name of the layer in ``layers`` that computes what it computes.
        end: How judging must end.
        options: Further options of ``conformance run``.
        rounds: How often it is judged in the same folder; the last time counts.
        suite_copied: Judge by a copy of the suite that the submission may write to.
        folder_on_path: Let the judge import from the working folder, as ``python -m`` does.
        judged: The requirements that it is judged by.
        on_word: What it lies about is a fact that only its own process can observe.
        limit: Why it is not found, for one that no judge of this design can find.
    """

    name: str
    layer: str
    end: End = End.VERDICT
    options: tuple[str, ...] = ()
    rounds: int = 1
    suite_copied: bool = False
    folder_on_path: bool = False
    judged: tuple[str, ...] = JUDGED
    on_word: bool = False
    limit: str = ""

    @property
    def kind(self) -> str:
        """The module that defines it."""
        return self.name.partition(":")[0].rpartition(".")[2]

    @property
    def id(self) -> str:
        """A short name, ``kind:attribute``."""
        return f"{self.kind}:{self.name.partition(':')[2]}"


SUBMISSIONS: dict[str, Submission] = {}
"""Every submission by name; complete after ``all_submissions``."""


def submission(layer: type, **rest: Any) -> Callable[[Callable[[], type | None]], Any]:
    """Register a function that tampers and returns the layer, or None for ``layer`` itself.

    Args:
        layer: What is computed.
        **rest: Other fields of ``Submission``.
    """

    def register(tamper: Callable[[], type | None]) -> Callable[[], Implementation]:
        name = f"{tamper.__module__}:{tamper.__name__}"
        SUBMISSIONS[name] = Submission(name=name, layer=layer.__name__, **rest)

        @wraps(tamper)
        def implementation() -> Implementation:
            found = tamper() or layer
            return found if isinstance(found, Implementation) else Implementation.nnx(found)

        return implementation

    return register


def before_each_call(layer: type, what: Callable[[], object]) -> type:
    """Return the layer that does this first in each of its calls."""

    class Tampering(layer):
        def __call__(self, x: Any, use_running_average: Any) -> Any:
            what()
            return super().__call__(x, use_running_average)

    return Tampering


def all_submissions() -> Iterator[Submission]:
    """Yield every submission, in the order of presentation."""
    for kind in KINDS:
        import_module(f"{__name__}.{kind}")
    yield from SUBMISSIONS.values()
