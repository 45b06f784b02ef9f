"""Writes an edition of the requirements from their rows.

Usage: python tools/docs/editions.py NAME, such as 2026.2; run generate.py afterwards.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from conformance.requirements.editions.changes import describe_change, disagreements
from conformance.requirements.editions.edition import (
    DIRECTORY,
    Edition,
    UnknownEdition,
    draft_edition,
    edition_order,
    published_editions,
)

ROOT = Path(__file__).parents[2]


def release_with(name: str, root: Path = ROOT) -> str:
    """Return the tag of a release that has an edition; empty if there is none.

    Args:
        name: The name of the edition.
        root: The checkout.
    """
    file = f"conformance/requirements/editions/{name}.json"
    tags = _git(root, "tag", "--list", "v*").stdout.split()
    return next((t for t in tags if not _git(root, "cat-file", "-e", f"{t}:{file}").returncode), "")


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def next_edition(name: str, published: tuple[Edition, ...], draft: Edition, tag: str) -> Edition:
    """Return the edition that is written from the draft.

    Args:
        name: Its name.
        published: The editions that there are.
        draft: The draft.
        tag: The release that has an edition of this name already; empty if there is none.

    Raises:
        UnknownEdition: It is not to be written; the message says why.
    """
    order = edition_order(name)
    if tag:
        msg = f"edition {name} is in release {tag}, so it stays as it is. Publish the next one."
        raise UnknownEdition(msg)
    newest = published[-1] if published else None
    if newest is not None and order < edition_order(newest.name):
        msg = f"edition {name} is older than {newest.name}, the newest"
        raise UnknownEdition(msg)
    again = newest is not None and newest.name == name
    before = published[: -1 if again else None][-1:]
    reasons = {**(newest.reasons if again and newest is not None else {}), **draft.reasons}
    if before:
        old = before[0]
        changed = {i for i in old.rows if describe_change(old.rows[i], draft.rows.get(i))}
        reasons = {i: reason for i, reason in reasons.items() if i in changed}
        if problems := disagreements(old, replace(draft, reasons=reasons)):
            raise UnknownEdition("\n".join(problems))
    return Edition(name, draft.rows, reasons if before else {})


def main() -> None:
    """Write the edition, and empty the reasons of the draft."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    (name,) = sys.argv[1:]
    try:
        edition = next_edition(name, published_editions(), draft_edition(), release_with(name))
    except UnknownEdition as error:
        sys.exit(str(error))
    (DIRECTORY / f"{name}.json").write_text(edition.to_text(), encoding="utf-8")
    reasons = DIRECTORY / "draft.toml"
    kept = [line for line in reasons.read_text(encoding="utf-8").splitlines() if line[:1] == "#"]
    reasons.write_text("\n".join(kept) + "\n", encoding="utf-8")
    print(f"wrote edition {name}, {len(edition.rows)} requirements; now run generate.py")


if __name__ == "__main__":
    main()
