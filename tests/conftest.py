"""Settings of the suite's own tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from conformance.engine.jax_runtime import (
    offer_host_devices,
    remember_compilations,
    share_lowering_contexts,
)

pytest_plugins = [
    "pytester",
    "support.memory",
    "support.written_modules",
    "support.projects",
    "support.hostile_runs",
    "support.refusing",
]
pytest.register_assert_rewrite("support.drawn_cases")  # its assertions say what they compared

os.environ.pop("GITHUB_STEP_SUMMARY", None)  # runs within tests are not what a job is about

settings.register_profile("reproducible", derandomize=True, database=None, deadline=None)
settings.load_profile("reproducible")

offer_host_devices()
remember_compilations()  # both workers, and the next run, reuse what one has compiled


def pytest_collection_finish() -> None:
    """Save the memory of JAX's contexts in processes that run tests, which import jax anyway."""
    share_lowering_contexts()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many requirements each null implementation passes, from any worker."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    lines = [text for r in reports for key, text in r.user_properties if key == "null"]
    if lines:
        terminalreporter.section("null implementations")
    for line in sorted(set(lines)):
        terminalreporter.write_line(str(line))
