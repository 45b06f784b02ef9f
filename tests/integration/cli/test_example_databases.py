"""Hypothesis' example databases: an example found on one host is tried first on another.

The other host has the suite and the project elsewhere, so the keys must not depend on that.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.sampling import exhaustive
from support.suite_copies import copy_suite

REDIS = shutil.which("redis-server")

TEST = """
from pathlib import Path
from hypothesis import Phase, settings
from hypothesis.database import (
    DirectoryBasedExampleDatabase, GitHubArtifactDatabase, ReadOnlyDatabase)
import conformance

Path("suite.txt").write_text(conformance.__file__)
TestSequences = conformance.sequence_machine("fault:third-evaluation-in-a-row").TestCase
TestSequences.settings = settings(
    database={database}, deadline=None, max_examples=300, stateful_step_count=15,
    phases=(Phase.reuse, Phase.generate))  # no shrinking, which is slow
"""


FIRST = {"reuse": (0, 1)}
"""The first example that is tried fails, and no other is drawn."""


def explore(place: Path, database: str) -> dict[str, tuple[int, int]]:
    """Explore with a copy of suite and project; return how many passed and failed, by phase."""
    place.mkdir()
    copy_suite(place / "suite")
    (place / "project").mkdir()
    (place / "project" / "test_norm.py").write_text(TEST.format(database=database))
    environment = os.environ | {
        "PYTHONPATH": str(place / "suite"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(place / "storage"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--hypothesis-show-statistics", "-p", "no:cacheprovider"],
        cwd=place / "project",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    ran = (place / "project" / "suite.txt").read_text()
    assert ran.startswith(str(place)), "the copy"
    found = re.findall(
        r"during (\w+) phase.*\n.*\n.* (\d+) passing(?: examples)?, (\d+) failing", done.stdout
    )
    return {phase: (int(passing), int(failing)) for phase, passing, failing in found}


@exhaustive
def test_a_directory_and_an_artifact_of_github_are_shared(tmp_path: Path):
    """What a workflow stores of a directory is read by hosts that have no directory of theirs."""
    stored = tmp_path / "stored"
    directory = f"DirectoryBasedExampleDatabase({str(stored)!r})"
    found = explore(tmp_path / "one", directory)
    assert found["generate"][0] > 0, "the first has to search"
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    now = datetime.datetime.now(datetime.UTC).isoformat().replace(":", "_")
    with zipfile.ZipFile(artifacts / f"{now}.zip", "w") as archive:
        for path in stored.rglob("*"):
            archive.write(path, path.relative_to(stored))
    artifact = f"ReadOnlyDatabase(GitHubArtifactDatabase('o', 'r', path={str(artifacts)!r}))"
    for name, database in (("two", artifact), ("three", directory)):
        assert explore(tmp_path / name, database) == FIRST, name


@contextmanager
def redis_server(place: Path) -> Iterator[int]:
    """A Redis server of this test; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [REDIS, "--port", str(port), "--save", "", "--bind", "127.0.0.1", "--dir", str(place)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait()


@pytest.mark.skipif(REDIS is None, reason="there is no redis-server")
def test_a_redis_server_is_shared(tmp_path: Path):
    """Hosts that use one server share examples at once."""
    pytest.importorskip("redis")
    with redis_server(tmp_path) as port:
        redis = f"__import__('redis').Redis(port={port})"
        database = "__import__('hypothesis.extra.redis', fromlist=['x']).RedisExampleDatabase"
        found = explore(tmp_path / "one", f"{database}({redis})")
        assert found["generate"][0] > 0, "the first has to search"
        assert explore(tmp_path / "two", f"{database}({redis})") == FIRST
