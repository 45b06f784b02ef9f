"""flax's own BatchNorm tests, from its source distribution, on a mutant of flax.

The tests say ``nnx.BatchNorm``, so that name and the module behind it are replaced while they
run; nothing else runs in the process then.
"""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
import tarfile
import unittest
from contextlib import redirect_stderr
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from conformance.engine.jax_runtime import cache_directory, remember_compilations
from conformance.mutation.mutants import Mutant
from mutation.probes import lines, noting_lines

TEST_FILE = "tests/nnx/nn/normalization_test.py"
CHOSEN = "*batchnorm*"
"""The tests of the file that are about BatchNorm."""

Result = dict[str, Any]


def fetched() -> Path:
    """Return flax's test file for the installed version, downloaded once."""
    release = f"flax-{version('flax')}"
    directory = cache_directory() / "sources"
    file = directory / release / TEST_FILE
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", "flax", "--dest", str(directory), release.replace("-", "==")]
        subprocess.run(command, check=True)
        with tarfile.open(directory / f"{release}.tar.gz") as archive:
            archive.extract(f"{release}/{TEST_FILE}", directory, filter="data")
    return file


@cache
def _tests(file: Path) -> ModuleType:
    remember_compilations()
    spec = importlib.util.spec_from_file_location("flax_normalization_test", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcome(made: ModuleType, file: Path) -> Result:
    """Run the tests with BatchNorm taken from the given module; stop at the first failure."""
    tests = _tests(file)
    from flax import nnx
    from flax.nnx.nn import normalization

    loader = unittest.TestLoader()
    loader.testNamePatterns = [CHOSEN]
    replaced = {name: vars(made)[name] for name in vars(made) if not name.startswith("__")}
    with (
        mock.patch.object(nnx, "BatchNorm", made.BatchNorm),
        mock.patch.dict(vars(normalization), replaced),
        redirect_stderr(io.StringIO()) as output,
    ):
        run = unittest.TextTestRunner(failfast=True).run(loader.loadTestsFromModule(tests))
    if run.testsRun == 0:
        return {"outcome": "no test ran"}
    if run.wasSuccessful():
        return {"outcome": "survived", "tests": run.testsRun}
    return {"outcome": "killed", "by": "test", "detail": output.getvalue()[-300:]}


def judge_mutant(mutant: Mutant, file: Path) -> Result:
    """Run flax's own tests on the mutant."""
    from mutation.targets import FLAX, executed

    try:
        made = executed(FLAX, mutant)
    except Exception as error:  # noqa: BLE001  a mutant may raise anything
        return {"outcome": "killed", "by": "build error", "detail": f"{error}"[:200]}
    return outcome(made, file)


def control(file: Path) -> Result:
    """Prove the harness: the original passes and is executed, a layer that does nothing fails."""
    from mutation.targets import FLAX, executed

    with noting_lines():
        original = executed(FLAX)
    lines.clear()
    passed = outcome(original, file)
    broken = executed(FLAX)
    vars(broken)["_normalize"] = lambda x, *_: x
    return {
        "original": passed,
        "lines": len(lines),
        "broken": outcome(broken, file)["outcome"],
    }


def sound(answer: Result) -> bool:
    """Tell whether the control came out as it must."""
    passes = answer.get("original", {}).get("outcome") == "survived"
    return passes and answer["lines"] > 0 and answer["broken"] == "killed"
