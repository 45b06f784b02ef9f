"""The report as users of Python have it: it answers, and shows itself."""

from __future__ import annotations

from markupsafe import Markup
from rich.text import Text

from conformance.adapters.errors import printable
from conformance.report import model
from conformance.report.causes import Cause, causes, sort_binding_first
from conformance.report.observations import observation_lines
from conformance.report.screen import answer_lines
from conformance.report.terminal import evidence_lines
from conformance.requirements.verdict import Outcome, Verdict


class Report(model.Report):
    """What ``judge`` has found out.

    ``print(report)`` and a notebook show what ``conformance run`` prints. ``Report.read(path)``
    reads the file that ``--report`` wrote.
    """

    __slots__ = ()

    @property
    def conforms(self) -> bool:
        """Whether everything was judged and no MUST is violated; if strict, no SHOULD either."""
        judged = any(verdict.outcome.judged for verdict in self.verdicts)
        return self.footer.exit_code == 0 and judged

    @property
    def violations(self) -> list[Verdict]:
        """The verdicts on violated requirements, those on a MUST first."""
        return sort_binding_first(v for v in self.verdicts if v.outcome is Outcome.VIOLATES)

    @property
    def causes(self) -> list[Cause]:
        """Why requirements are not met: mistakes that explain the numbers, and what is left."""
        return [cause for name in self.header.implementations for cause in causes(self, name)]

    def __repr__(self) -> str:
        """Return what ``conformance run`` prints, without the commands to go on with."""
        answers = [
            "\n".join(answer_lines(self, name, commands=False))
            for name in self.header.implementations
        ]
        observed = ["\n".join(observation_lines(self)).strip()] * bool(self.observations())
        evidence = [Text.from_markup(line).plain for line in evidence_lines(self, brief=True)]
        return printable("\n\n".join([*answers, *observed, "\n".join(evidence)]))

    def _repr_html_(self) -> str:
        """Return the same as HTML, with a table of all violations that can be opened."""
        line = Markup("<tr><td>{}</td><td>{}</td><td style='text-align: left'>{}</td></tr>")
        rows = [
            line.format(each.requirement, each.level.value.upper(), printable(_finding(each)))
            for each in self.violations
        ]
        table = Markup("<details><summary>{}</summary><table>{}</table></details>")
        title = f"Each violation: {len(rows)}"
        shown = table.format(title, Markup("").join(rows)) if rows else ""
        return str(Markup("<pre style='line-height: 1.3'>{}</pre>{}").format(repr(self), shown))


def _finding(verdict: Verdict) -> str:
    return verdict.violation.finding.sentence() if verdict.violation is not None else verdict.detail
