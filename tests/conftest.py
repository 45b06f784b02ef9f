"""Settings of the suite's own tests."""

from __future__ import annotations

from hypothesis import settings

from conformance.compilation import remember_compilations

pytest_plugins = ["pytester"]

settings.register_profile("reproducible", derandomize=True, database=None, deadline=None)
settings.load_profile("reproducible")

remember_compilations()  # both workers, and the next run, reuse what one has compiled
