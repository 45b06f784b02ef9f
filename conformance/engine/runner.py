"""Runs one property on one subject: a Hypothesis test for each of its palettes.

Each test draws its cases as ``seed_test`` says; ``minimize`` makes a failure small.
"""

from __future__ import annotations

from conformance.engine.budget import Budget
from conformance.engine.case_run import CaseRun, Palette
from conformance.engine.seed_test import SeedTest
from conformance.properties import Property
from conformance.properties.support.subject import Subject
from conformance.strategies import shape_grid

MINED_CASES = 4
"""Cases of each palette that comes from the source of the implementation; a single one for
properties that leave out the simplest case, whose cases are large."""


class PropertyRun(CaseRun):
    """One property on one subject: a function without arguments that executes its cases.

    Attributes:
        palettes: The palettes of shapes from which cases are drawn.
    """

    def __init__(
        self,
        prop: Property,
        subject: Subject,
        budget: Budget,
        *,
        palettes: tuple[Palette, ...] = (),
        until: float | None = None,
    ) -> None:
        super().__init__(prop, subject, budget, until=until)
        self.palettes = palettes or prop.palettes_of(budget.profile) or (_palette(budget),)
        tests = [SeedTest(self, palette) for palette in self.palettes]
        if prop.mined is not None and not palettes:
            further = prop.mined(subject.implementation.mined)
            cases = MINED_CASES if prop.simplest else 1
            tests += [SeedTest(self, palette, cases) for palette in further]
        self._tests = [test.bind() for test in tests]

    def __call__(self) -> None:
        """Execute every case.

        Raises:
            ViolationFound: A case violates the requirement.
        """
        for test in self._tests:
            test()


def _palette(budget: Budget) -> Palette:
    if budget.palette_seed is not None:
        return shape_grid.draw_palette(budget.palette_seed)
    return shape_grid.DEFAULT if budget.seed is None else shape_grid.palette_of(budget.seed)
