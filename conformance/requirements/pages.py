"""The page of a requirement on the documentation site."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, metadata


def page_of(identity: str) -> str:
    """Return the address of the page of a requirement, which never changes.

    Args:
        identity: The id, such as ``BN-EMA-1``.

    Returns:
        The address below ``Documentation`` of ``[project.urls]`` in ``pyproject.toml``; where that
        is not set, the path within the documentation site, ``requirements/BN-EMA-1/``.
    """
    return f"{_site()}requirements/{identity}/"


@cache
def _site() -> str:
    """Return the address of the site, with a slash at the end; empty if it has none."""
    try:
        urls = metadata("batchnorm-conformance").get_all("Project-URL") or []
    except PackageNotFoundError:  # not installed: run from a copy of the source
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    return f"{named['Documentation'].rstrip('/')}/" if "Documentation" in named else ""
