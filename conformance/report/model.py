"""The report: header, verdicts, footer, as one JSON document.

The footer says how many verdicts were expected and how many are present, so that an incomplete
report cannot be mistaken for a complete one. ``schema.json`` beside this module is the
normative description; its version is ``VERSION``.
"""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from typing import Any

from conformance.report.atomic_files import write_text
from conformance.report.place_differences import by_device, by_environment, differing_outcomes
from conformance.report.scope import Scope, scope_of
from conformance.report.validation import ReportError, read_valid_json
from conformance.requirements import REQUIREMENTS, TRANSFORMS, Level, Requirement
from conformance.requirements.editions import (
    Edition,
    edition_named,
    newest_edition,
    rows_of,
    why_unknown,
)
from conformance.requirements.verdict import Outcome, Verdict

VERSION = 1
FORMAT = "batchnorm-conformance-report"
SCHEMA = Path(__file__).with_name("schema.json")
VECTORS_SCHEMA = Path(__file__).with_name("vectors-schema.json")

__all__ = ["Footer", "Header", "Report", "ReportError", "read_environment"]

_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "hypothesis", "pytest", "pytest-xdist")
_VARIABLES = ("JAX_PLATFORMS", "JAX_ENABLE_X64", "XLA_FLAGS", "CI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The conditions of a run.

    Attributes:
        started: The start of the run, in seconds since 1970.
        profile: The name of the profile.
        seed: The seed of the cases; None leaves it to Hypothesis.
        max_examples: Cases per property.
        strict: Whether a violated SHOULD fails the run.
        implementations: The names of the implementations, as given by the user.
        requirements: The ids of the selected requirements.
        workers: The number of pytest-xdist workers.
        environment: Versions and environment variables.
        shard: Which part of a run this is, such as ``2/3``; None for all of it.
        strict_reading: Whether declared deviations were ignored.
        edition: The edition of the requirements; empty in a report from before there were any.
    """

    started: float
    profile: str
    seed: int | None
    max_examples: int
    strict: bool
    implementations: list[str]
    requirements: list[str]
    workers: int
    environment: dict[str, str]
    shard: str | None = None
    strict_reading: bool = False
    edition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """Proof of completeness: verdicts expected, verdicts present, and which are missing."""

    expected: int
    verdicts: int
    missing: list[str]
    seconds: float
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The results of a run.

    Attributes:
        header: The conditions.
        footer: Expected and present verdicts, and the exit code.
        verdicts: By implementation and requirement.
        diagnoses: By implementation, its most likely mistake, if one was found.
        side_effects: By implementation, the process-wide state that it changed, such as the
            working directory.
        recognitions: By implementation without an adapter, how it was read: the line of Python
            that says the same, the reasons, and arguments to add.
        mined: By implementation, the numbers of its source that became sizes and values.
        devices: By implementation, what the device calls itself on which it was judged.
        environments: By implementation in another environment, the versions there.
    """

    header: Header
    footer: Footer
    verdicts: list[Verdict] = field(default_factory=list)
    diagnoses: dict[str, dict[str, Any]] = field(default_factory=dict)
    side_effects: dict[str, list[str]] = field(default_factory=dict)
    recognitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    mined: dict[str, list[float]] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every expected verdict is present."""
        return not self.footer.missing and self.footer.expected == self.footer.verdicts

    @property
    def edition(self) -> Edition:
        """The edition that was judged by; the newest if this version does not know it."""
        name = self.header.edition
        return newest_edition() if why_unknown(name) else edition_named(name)

    @property
    def rows(self) -> Mapping[str, Requirement]:
        """Every requirement by id, as the edition of the report has it."""
        return rows_of(self.edition)

    def of(self, implementation: str) -> list[Verdict]:
        """Return the verdicts on one implementation, without what was only observed."""
        return [v for v in self.answers_of(implementation) if v.level is not Level.MAY]

    def answers_of(self, implementation: str) -> list[Verdict]:
        """Return the verdicts on one implementation, and what was observed of it."""
        return [v for v in self.verdicts if v.implementation == implementation]

    @property
    def judgements(self) -> list[Verdict]:
        """The verdicts by implementation, without what was only observed."""
        return [verdict for name in self.header.implementations for verdict in self.of(name)]

    def observations(self) -> dict[str, dict[str, list[str]]]:
        """Return by MAY row the answers, each with the implementations that give it."""
        found: dict[str, dict[str, list[str]]] = {}
        for verdict in self.verdicts:
            if verdict.level is Level.MAY:
                lead = "" if verdict.outcome is Outcome.OBSERVED else "not observed: "
                answers = found.setdefault(verdict.requirement, {})
                answers.setdefault(lead + verdict.detail, []).append(verdict.implementation)
        return found

    def counts(self) -> dict[str, int]:
        """Return how many verdicts have each outcome."""
        counted = Counter(verdict.outcome for verdict in self.verdicts)
        return {outcome.value: counted[outcome] for outcome in Outcome}

    def transforms(self) -> dict[str, dict[str, dict[str, str]]]:
        """Return the outcomes by implementation, transform and requirement."""
        matrix: dict[str, dict[str, dict[str, str]]] = {}
        for transform, verdict in product(TRANSFORMS, self.verdicts):
            row = REQUIREMENTS.get(verdict.requirement)  # None in a report of another version
            if row is not None and transform in row.transforms:
                rows = matrix.setdefault(verdict.implementation, {})
                rows.setdefault(transform, {})[verdict.requirement] = verdict.outcome.value
        return matrix

    def grounds(self) -> dict[str, str]:
        """Return what demands each judged requirement, or what is left open, by its id."""
        seen = (Outcome.OBSERVED,)
        judged = {v.requirement for v in self.verdicts if v.outcome.judged or v.outcome in seen}
        return {row.id: row.grounds for row in self.rows.values() if row.id in judged}

    def scopes(self) -> dict[str, Scope]:
        """Return by implementation how much was judged, where its form leaves something out."""
        found = {name: scope_of(self.of(name)) for name in self.header.implementations}
        return {name: scope for name, scope in found.items() if scope is not None}

    def on_word(self) -> list[str]:
        """Return the judged requirements that rest on facts stated by the judged process."""
        judged = {verdict.requirement for verdict in self.verdicts if verdict.outcome.judged}
        return [row.id for row in REQUIREMENTS.values() if row.on_word and row.id in judged]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        header = asdict(self.header)
        by_devices = differing_outcomes(self.verdicts, by_device)
        by_environments = differing_outcomes(self.verdicts, by_environment)
        if self.header.shard is None:
            del header["shard"]
        if not self.header.strict_reading:
            del header["strict_reading"]
        if not self.header.edition:
            del header["edition"]
        return {
            "format": FORMAT,
            "version": VERSION,
            "header": header,
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "diagnoses": self.diagnoses,
            "side_effects": self.side_effects,
            **({"recognitions": self.recognitions} if self.recognitions else {}),
            **({"mined": self.mined} if self.mined else {}),
            **({"devices": self.devices} if self.devices else {}),
            **({"environments": self.environments} if self.environments else {}),
            **({"device_differences": by_devices} if by_devices else {}),
            **({"environment_differences": by_environments} if by_environments else {}),
            "transforms": self.transforms(),
            "grounds": self.grounds(),
            "on_word": self.on_word(),
            "scopes": {name: scope.to_json() for name, scope in self.scopes().items()},
            "footer": asdict(self.footer) | {"complete": self.complete, "counts": self.counts()},
        }

    def to_text(self) -> str:
        """Return the report as the text of its file."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    def write(self, path: Path) -> None:
        """Write the report atomically."""
        write_text(path, self.to_text())

    @classmethod
    def read(cls, path: Path) -> Report:
        """Return the report in a file.

        Raises:
            ReportError: The file is missing, truncated, not a report, or of another version.
        """
        data = read_valid_json(path, SCHEMA, (FORMAT, VERSION))
        try:
            footer = {k: v for k, v in data["footer"].items() if k not in {"complete", "counts"}}
            return cls(
                header=Header(**data["header"]),
                footer=Footer(**footer),
                verdicts=[Verdict.from_json(verdict) for verdict in data["verdicts"]],
                diagnoses=dict(data.get("diagnoses", {})),
                side_effects=dict(data.get("side_effects", {})),
                recognitions=dict(data.get("recognitions", {})),
                mined=dict(data.get("mined", {})),
                devices=dict(data.get("devices", {})),
                environments=dict(data.get("environments", {})),
            )
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            msg = f"{path} is truncated or was edited: {error!r}. Run again to write a new one."
            raise ReportError(msg) from error


def sort_verdicts(verdicts: Iterable[Verdict], implementations: Sequence[str]) -> list[Verdict]:
    """Return verdicts sorted by implementation, in the given order, then by requirement."""
    place = {name: number for number, name in enumerate(implementations)}
    rank = {identity: number for number, identity in enumerate(REQUIREMENTS)}
    return sorted(
        verdicts,
        key=lambda v: (place.get(v.implementation, len(place)), rank.get(v.requirement, len(rank))),
    )


def read_environment() -> dict[str, str]:
    """Return the versions and environment variables that verdicts may depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in ("batchnorm-conformance", *_PACKAGES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | {name: os.environ[name] for name in _VARIABLES if name in os.environ}
