"""Judge and diagnose layers by an author who knew neither the requirements nor the gallery.

Every layer is judged by all requirements, a faulty one until the first is violated; then
diagnosed. A faulty layer without a violation, and a correct one with any, are what to look at.

Usage: python benchmarks/blind_test.py [--only PATTERN] [--jobs 2] [--out FILE]
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
from pathlib import Path

Task = tuple[str, str]
"""The module and the name of a class."""

_CORRECT = ("blind.correct", "blind.base")


def tasks(only: str) -> list[Task]:
    """Return every layer of the blind set whose name matches."""
    import blind
    from flax import nnx

    found = []
    for module in pkgutil.iter_modules(blind.__path__, "blind."):
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found += [
            (module.name, name)
            for name, kind in members
            if kind.__module__ == module.name
            and issubclass(kind, nnx.Module)
            and not name.startswith("_")
        ]
    return [task for task in found if fnmatch.fnmatch(task[1], only)]


def judged(task: Task) -> dict[str, object]:
    """Judge one layer; return what was violated, and the first answer of the diagnosis."""
    from conformance.compilation import remember_compilations

    warnings.simplefilter("ignore")
    remember_compilations()
    from conformance.diagnosis import diagnose
    from conformance.implementation import Implementation
    from conformance.judging import judge_requirement
    from conformance.profiles import budget
    from conformance.requirements import REQUIREMENTS
    from conformance.subject import Subject

    module, name = task
    correct = module.startswith(_CORRECT)
    implementation = Implementation.nnx(getattr(importlib.import_module(module), name), name=name)
    subject, violated = Subject(implementation), {}
    for row in REQUIREMENTS.values():
        verdict = judge_requirement(row, subject, budget(minimize=False))
        if verdict.outcome.bad:
            found = verdict.violation
            violated[row.id] = found.finding.sentence() if found else verdict.detail[-300:]
            if not correct:
                break
    answer = diagnose(implementation, list(violated)).to_json()
    return {"module": module, "name": name, "violated": violated, "diagnosis": answer}


def main() -> None:
    """Print a line for each layer, and what is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="*")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = []
    with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=10) as pool:
        for result in pool.imap_unordered(judged, tasks(options.only)):
            results.append(result)
            answer = result["diagnosis"]
            first = next(iter(result["violated"]), "conforms")
            said = f"{answer['kind']} {answer.get('id', '')}"
            print(f"{result['module']}.{result['name']}: {first}; {said}", flush=True)
    wrong = [
        f"{result['module']}.{result['name']}"
        for result in results
        if bool(result["violated"]) == str(result["module"]).startswith(_CORRECT)
    ]
    print(f"{len(results)} judged; not as they should be: {', '.join(wrong) or 'none'}")
    if options.out:
        options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
