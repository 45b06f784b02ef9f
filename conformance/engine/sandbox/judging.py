"""The request for a verdict, and its handler in the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.engine.budget import Budget
from conformance.engine.sandbox.messages import Request
from conformance.requirements import REQUIREMENTS

if TYPE_CHECKING:
    from conformance.properties.support.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRequest(Request):
    """Judge one requirement.

    Attributes:
        requirement: Its id.
        budget: How thoroughly.
        until: When to stop, in seconds since 1970.
        values: An encoded case; judge this one alone.
    """

    handler: ClassVar[str] = f"{__name__}:handle"

    requirement: str
    budget: Budget
    until: float | None = None
    values: Mapping[str, Any] | None = None


def handle(
    subject: Subject,
    *,
    requirement: str,
    budget: dict[str, Any],
    until: float | None,
    values: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the verdict as JSON values; the arguments are the fields of ``JudgeRequest``."""
    from conformance.engine.judge import judge_requirement  # noqa: PLC0415  imports frameworks

    row = REQUIREMENTS[requirement]
    verdict = judge_requirement(row, subject, Budget(**budget), values, until=until)
    return verdict.to_json(internal=True)
