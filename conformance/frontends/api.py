"""``judge``: one call that judges an implementation, in a notebook, a script or a library."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from conformance.diagnosis.client import Experts
from conformance.engine.jax_runtime import remembering_compilations
from conformance.engine.jobs import choose_jobs
from conformance.engine.pool import JudgePool
from conformance.frontends.option_values import describe_wrong_value
from conformance.frontends.options import RUN_OPTIONS, OptionError
from conformance.frontends.progress import Display, NotebookDisplay, ProgressDisplay, is_notebook
from conformance.frontends.run_config import RunConfig
from conformance.frontends.run_session import Pool, Session, decide_exit_code
from conformance.report.judgement import Report
from conformance.report.waiver_format import WaiverError

if TYPE_CHECKING:
    from conformance.requirements.deviations import Deviation

_OPTIONS = {option.name: option for option in RUN_OPTIONS}
_OF_PROCESSES = ("jobs", "call_timeout", "memory_limit")
"""Options that this process cannot obey: it cannot end a call."""


def judge(
    implementation: Any,
    *,
    requirements: str | Iterable[str] = (),
    level: str | None = None,
    edition: str | None = None,
    profile: str = "default",
    max_examples: int | None = None,
    seed: int | None = None,
    max_time: float | None = None,
    strict: bool = False,
    ignore_declarations: bool = False,
    deviations: Iterable[Deviation] = (),
    waivers: str | Path | None = None,
    isolated: bool | None = None,
    jobs: int | None = None,
    call_timeout: float | None = None,
    memory_limit: float | None = None,
    diagnose: bool = True,
    progress: bool = True,
) -> Report:
    """Judge an implementation, as ``conformance run`` does.

    An object is judged in this process, because it may differ from what an import of its file
    would give: a class of a notebook cannot be imported at all. A layer that hangs or crashes
    then does so here. A name is judged in worker processes.

    Args:
        implementation: A class, a function that makes layers, a forward function, an
            ``Implementation``, or a name as for ``conformance run``.
        requirements: Ids, families or globs; none selects everything.
        level: ``must``, ``should`` or ``may``; None for the first two.
        edition: The edition of the requirements; None for the newest and what was added since.
        profile: How many cases to generate: ``quick``, ``default`` or ``thorough``.
        max_examples: Cases per property; overrides the profile.
        seed: The seed of the cases; None for 0, or a random one in the thorough profile.
        max_time: Seconds after which no further cases are generated.
        strict: A violated SHOULD counts as a failure, too.
        ignore_declarations: Ignore declared deviations.
        deviations: Deviations to declare, in addition to those of the implementation.
        waivers: A file of known violations, which names the implementation as the report does.
        isolated: Judge in worker processes, which import the object from its file or module; None
            for names only.
        jobs: Number of worker processes; None for as many as pay.
        call_timeout: Seconds that a call may take in a worker process.
        memory_limit: GiB that the implementation may use in a worker process.
        diagnose: Look for the most likely mistakes.
        progress: Show a progress bar, in a notebook or on a terminal.

    Raises:
        AdapterError: The implementation cannot be found, understood or driven.
        OptionError: An argument cannot be used.
    """
    wanted = (requirements,) if isinstance(requirements, str) else tuple(requirements)
    outside = isinstance(implementation, str) if isolated is None else isolated
    given = {
        "requirements": wanted,
        "level": level,
        "edition": edition,
        "profile": profile,
        "seed": seed,
        "max_examples": max_examples,
        "max_time": max_time,
        "strict": strict,
        "ignore_declarations": ignore_declarations,
        "waivers": waivers,
        "first_violation": True,
        "call_timeout": call_timeout,
        "memory_limit": memory_limit,
    }
    name = name_of(implementation, importable=outside)
    run = _configure(name, {key: value for key, value in given.items() if value is not None})
    if outside:
        if deviations := tuple(deviations):
            raise OptionError(
                "deviations are declared in this process: pass isolated=False, or declare them in "
                "an adapter, as in Implementation.nnx(MyBatchNorm, deviations=...)"
            )
        return _judge_outside(run, jobs, diagnose=diagnose, progress=progress)
    for option, value in zip(_OF_PROCESSES, (jobs, call_timeout, memory_limit), strict=True):
        if value is not None:
            msg = f"{option} {value}: it limits worker processes; pass isolated=True as well"
            raise OptionError(msg)
    return _judge_here(
        implementation, run, frozenset(deviations), diagnose=diagnose, progress=progress
    )


def _configure(name: str, given: dict[str, Any]) -> RunConfig:
    for key, value in given.items():
        if wrong := describe_wrong_value(_OPTIONS[key], value):
            msg = f"{key} {wrong}"
            raise OptionError(msg)
    names = {option.name: option.name for option in RUN_OPTIONS}
    return RunConfig.from_options(given | {"implementations": (name,)}, names)


def name_of(implementation: Any, *, importable: bool) -> str:
    """Return the name of an implementation in a report.

    Args:
        implementation: A name, or an object.
        importable: Whether another process has to find the object by its name.

    Raises:
        OptionError: Another process could not import it.
    """
    if isinstance(implementation, str):
        return implementation
    made = implementation.func if isinstance(implementation, partial) else implementation
    name = str(getattr(made, "__qualname__", None) or getattr(made, "name", type(made).__name__))
    if not importable:
        return name.rpartition(".")[2].strip("<>")
    module = sys.modules.get(str(getattr(made, "__module__", "")))
    file = getattr(module, "__file__", None)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not implementation or (module is sys.modules["__main__"] and not file):
        msg = (
            f"isolated=True: worker processes cannot import {name}, which is not defined at the "
            "top level of a file or module. Write it to a file (in a notebook with %%writefile), "
            "or pass isolated=False"
        )
        raise OptionError(msg)
    place = str(file) if module is sys.modules["__main__"] else str(module and module.__name__)
    return f"{place}:{name}"


def _judge_outside(run: RunConfig, jobs: int | None, *, diagnose: bool, progress: bool) -> Report:
    size = choose_jobs("auto" if jobs is None else str(jobs), len(run.items()))
    experts = Experts(strictly=run.strict_reading, diagnose=diagnose, minimize=True, ends=run.last)
    with experts, JudgePool(size) as pool:
        return _report(Session(run, experts), pool, progress=progress)


def _judge_here(
    implementation: Any,
    run: RunConfig,
    deviations: frozenset[Deviation],
    *,
    diagnose: bool,
    progress: bool,
) -> Report:
    with remembering_compilations():
        from conformance.diagnosis.local_expert import LocalExpert  # noqa: PLC0415  imports JAX
        from conformance.frontends.local_judge import LocalPool, subject_of  # noqa: PLC0415

        (name,) = run.implementations
        subject = subject_of(
            _with_deviations(implementation, name, deviations), strictly=run.strict_reading
        )

        def make_expert(*_: object, diagnose: bool, **__: object) -> LocalExpert:
            return LocalExpert(subject, diagnose=diagnose)

        with Experts(
            strictly=run.strict_reading,
            diagnose=diagnose,
            minimize=True,
            ends=run.last,
            make_expert=make_expert,
        ) as experts:
            return _report(Session(run, experts), LocalPool({name: subject}), progress=progress)


def _with_deviations(implementation: Any, name: str, deviations: frozenset[Deviation]) -> Any:
    """Return an object, or what a name stands for, as an ``Implementation``."""
    from conformance.adapters.recognition import recognize  # noqa: PLC0415  imports JAX
    from conformance.adapters.resolve import resolve  # noqa: PLC0415

    found = (
        resolve(implementation)
        if isinstance(implementation, str)
        else recognize(name, implementation)
    )
    return replace(found, name=name, deviations=found.deviations | deviations)


def _report(session: Session, pool: Pool, *, progress: bool) -> Report:
    collection = session.collection
    notebook = is_notebook()
    console = Console(stderr=True, quiet=notebook or not progress)
    display: Display = ProgressDisplay(collection, console)
    if progress and notebook:
        display = NotebookDisplay(collection)
    session.judge(pool, display)
    report = session.consult(collection.report(decide_exit_code(collection)), console)
    if stale := collection.stale:
        raise WaiverError(" ".join(stale))
    found = session.conclude(report)
    return Report(**{name: getattr(found, name) for name in found.__dataclass_fields__})
