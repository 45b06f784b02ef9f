"""A package of somebody else that registers an implementation, installed for real."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.command_line import conformance
from support.sampling import exhaustive

NORM = '''
"""A third-party layer in plain NumPy."""
import numpy as np
from conformance import Config, Implementation


class Layer:
    def __init__(self, config: Config):
        size = config.features
        self.arrays = {
            "gamma": np.ones(size, np.float32),
            "beta": np.zeros(size, np.float32),
            "running_mean": np.zeros(size, np.float32),
            "running_var": np.ones(size, np.float32),
        }

    def __call__(self, x, use_running_average):
        return np.asarray(x)

    def read(self):
        return dict(self.arrays)

    def write(self, values):
        self.arrays |= values


def norm():
    return Implementation(name="theirs", build=Layer)
'''

METADATA = "Metadata-Version: 2.1\nName: third-party-norm\nVersion: 1.2.3\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
ENTRY_POINTS = "[conformance.implementations]\ntheirs = third_party_norm:norm\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory into which pip has installed the package, from a wheel and without a network."""
    directory = tmp_path_factory.mktemp("third_party")
    wheel = directory / "third_party_norm-1.2.3-py3-none-any.whl"
    info = "third_party_norm-1.2.3.dist-info"
    files = {
        "third_party_norm.py": NORM,
        f"{info}/METADATA": METADATA,
        f"{info}/WHEEL": WHEEL,
        f"{info}/entry_points.txt": ENTRY_POINTS,
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    target = directory / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True)
    return target


def test_a_third_party_implementation_is_listed(site: Path, tmp_path: Path):
    """``conformance implementations`` shows name, place and package of a registered one."""
    done = conformance("implementations", cwd=tmp_path, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("theirs")]
    assert line.split() == ["theirs", "third_party_norm:norm", "third-party-norm"]


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=exhaustive)])
def test_a_third_party_implementation_is_judged(site: Path, tmp_path: Path, jobs: str):
    """``conformance run`` judges it by its registered name, on one process or more."""
    done = conformance(
        "run", "theirs", "-k", "INIT-1,INIT-2", "-j", jobs, cwd=tmp_path, PYTHONPATH=str(site)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "theirs: conforms to 2 of 2 requirements." in done.stdout


@exhaustive
def test_a_third_party_implementation_can_violate(site: Path, tmp_path: Path):
    """What it gets wrong is shown under its registered name."""
    done = conformance(
        "run", "theirs", "-k", "EMA-1", "-j", "1", cwd=tmp_path, PYTHONPATH=str(site)
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "conformance run theirs -k BN-EMA-1" in done.stdout


def test_a_third_party_implementation_is_gone_with_its_package(tmp_path: Path):
    """Without the package the name is unknown, and the run is refused."""
    done = conformance("run", "theirs", "-j", "1", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "no implementation is registered as 'theirs'." in done.stdout + done.stderr
