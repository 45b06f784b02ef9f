"""Judge and diagnose layers by authors who knew neither the requirements nor the gallery.

Every layer is judged by all requirements, a faulty one until the first is violated; then
diagnosed. What a layer declares, ``declares`` of its class says. A faulty layer without a
violation for one of the seeds, and a correct one with any, are what to look at.

Usage: python benchmarks/blind_test.py [--only PATTERN] [--modules PATTERN] [-k REQUIREMENTS]
           [--seeds 0,1,2] [--profile default] [--jobs 2] [--out FILE]
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import inspect
import json
import multiprocessing
import pkgutil
import warnings
from functools import partial
from pathlib import Path

Task = tuple[str, str]
"""The module and the name of a class."""

_CORRECT = ("blind.correct", "blind.base", "blind.wide_base", "blind.second_base")
_DOMAIN = ("ND", "MASK", "TYPE", "SYNC")
"""The rows that only a layer with a wider domain has: such a layer is wrong there, if anywhere."""


def tasks(only: str, modules: str) -> list[Task]:
    """Return every layer of the blind set whose name and module match."""
    import blind
    from flax import nnx

    found = []
    for module in pkgutil.iter_modules(blind.__path__, "blind."):
        if not fnmatch.fnmatch(module.name, f"blind.{modules}"):
            continue
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found += [
            (module.name, name)
            for name, kind in members
            if kind.__module__ == module.name
            and issubclass(kind, nnx.Module)
            and not name.startswith("_")
        ]
    return [task for task in found if fnmatch.fnmatch(task[1], only)]


def judged(
    task: Task, seeds: tuple[int, ...], profile: str, patterns: list[str]
) -> dict[str, object]:
    """Judge one layer; return what was violated by seed, and the first answer of the diagnosis."""
    from conformance.engine.jax_runtime import offer_host_devices, remember_compilations

    warnings.simplefilter("ignore")
    remember_compilations()
    offer_host_devices()
    from conformance.adapters.implementation import Implementation
    from conformance.adapters.recognize import recognize
    from conformance.diagnosis import diagnose
    from conformance.properties.support.subject import Subject
    from conformance.requirements import REQUIREMENTS
    from conformance.requirements.selection import select

    module, name = task
    kind = getattr(importlib.import_module(module), name)
    declares = getattr(kind, "declares", None)
    implementation = (
        recognize(name, kind)
        if declares is None
        else Implementation.nnx(kind, name=name, **declares)
    )
    subject, correct = Subject(implementation), module.startswith(_CORRECT)
    wider = implementation.wider is not None
    rows = select(REQUIREMENTS, patterns)
    rows = sorted(rows, key=lambda row: wider and row.family not in _DOMAIN)
    judge = partial(violations, subject, rows, profile, first=not correct)
    violated = {seed: judge(seed) for seed in seeds}
    answer = diagnose(implementation).to_json()
    return {"module": module, "name": name, "violated": violated, "diagnosis": answer}


def violations(
    subject: object, rows: list, profile: str, seed: int, *, first: bool
) -> dict[str, str]:
    """Return what the layer violates, all of it or the first found, and how it shows."""
    from conformance.engine.budget import budget
    from conformance.engine.judge import judge_requirement

    found: dict[str, str] = {}
    for row in rows:
        verdict = judge_requirement(row, subject, budget(profile, seed=seed, minimize=False))
        if verdict.outcome.bad:
            seen = verdict.violation
            found[row.id] = seen.finding.sentence() if seen else verdict.detail[-300:]
            if first:
                break
    return found


def main() -> None:
    """Print a line for each layer, and what is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="*")
    parser.add_argument("--modules", default="*")
    parser.add_argument("-k", dest="patterns", action="append", default=[])
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    seeds = tuple(int(seed) for seed in options.seeds.split(","))
    judge = partial(judged, seeds=seeds, profile=options.profile, patterns=options.patterns)
    results = []
    with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=10) as pool:
        for result in pool.imap_unordered(judge, tasks(options.only, options.modules)):
            results.append(result)
            answer = result["diagnosis"]
            firsts = [next(iter(found), "conforms") for found in result["violated"].values()]
            said = f"{answer['kind']} {answer.get('id', '')}"
            print(f"{result['module']}.{result['name']}: {', '.join(firsts)}; {said}", flush=True)
    wrong = [
        f"{result['module']}.{result['name']}"
        for result in results
        if any(
            bool(found) == str(result["module"]).startswith(_CORRECT)
            for found in result["violated"].values()
        )
    ]
    print(f"{len(results)} judged; not as they should be: {', '.join(wrong) or 'none'}")
    if options.out:
        options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
