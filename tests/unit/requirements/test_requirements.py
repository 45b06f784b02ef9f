"""The requirement table, and how requirements are chosen."""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules

import pytest

from conformance import requirements
from conformance.properties import PROPERTIES
from conformance.properties.support.property import requirement
from conformance.requirements import (
    REQUIREMENTS,
    TRANSFORMS,
    Capability,
    Level,
    Requirement,
    UnknownRequirement,
    families,
    select,
)
from conformance.requirements.table import ROWS_AS_WRITTEN

_MODULES = [
    import_module(f"{requirements.__name__}.{found.name}")
    for found in iter_modules(requirements.__path__)
]
_TABLES = [module for module in _MODULES if hasattr(module, "ROWS")]
"""Every table that there is, whether or not the package knows of it."""

_EACH = pytest.mark.parametrize("row", REQUIREMENTS.values(), ids=lambda row: row.id)


def ids(*patterns: str, level: Level | None = None) -> list[str]:
    return [row.id for row in select(REQUIREMENTS, patterns, level)]


def test_ids_are_unique():
    """No table repeats an id, which the dictionary of all rows would hide, and none is left out."""
    rows = [row.id for table in _TABLES for row in table.ROWS]
    assert len(rows) == len(set(rows)) == len(REQUIREMENTS)


@_EACH
def test_ids_are_well_formed(row: Requirement):
    """An id is BN, a family in capitals and a number from 1; both are attributes."""
    found = re.fullmatch(r"BN-([A-Z]+(?:-[A-Z]+)?)-([1-9]\d*)", row.id)
    assert found is not None
    assert (row.family, str(row.number)) == found.groups()


@_EACH
def test_transforms_are_known(row: Requirement):
    """What a row says that it puts the layer under is listed, in the order of the matrix."""
    assert list(row.transforms) == [name for name in TRANSFORMS if name in row.transforms]


def test_every_transform_is_judged():
    """No column of the matrix of transforms is empty."""
    assert set(TRANSFORMS) == {name for row in REQUIREMENTS.values() for name in row.transforms}


def test_rows_are_ordered():
    """Within a family numbers count up from 1 without a gap, and families are contiguous."""
    wanted = [
        f"BN-{family}-{number}"
        for family in families()
        for number in range(1, 1 + sum(row.family == family for row in REQUIREMENTS.values()))
    ]
    assert list(REQUIREMENTS) == wanted


@_EACH
def test_rows_are_filled_in(row: Requirement):
    """Every row has a statement, a reason, a source, says what it needs, and a MAY no mistakes."""
    assert row.statement.endswith(".")
    assert row.why.endswith(".")
    assert bool(row.mistakes) == (row.level is not Level.MAY)
    assert all(mistake.strip() for mistake in row.mistakes)
    assert row.source
    assert row.grounds.partition(": ")[2].strip()
    assert isinstance(row.needs, Capability)
    assert isinstance(row.level, Level)


EXTENDED = {"ND", "MASK", "TYPE", "SYNC"}


@pytest.mark.parametrize("row", ROWS_AS_WRITTEN.values(), ids=lambda row: row.id)
def test_must_has_grounds(row: Requirement):
    """The problem or mathematics demands a MUST, or what the layer declares; the rest is open."""
    demands = {"declared"} if row.family in EXTENDED else {"the problem", "mathematics"}
    kind = row.grounds.partition(":")[0]
    assert kind in (demands if row.level is Level.MUST else {"left open"})


def test_every_requirement_has_exactly_one_property():
    """Requirements and properties are the same set, and no two share a function."""
    assert set(PROPERTIES) == set(REQUIREMENTS)
    assert len({prop.claim for prop in PROPERTIES.values()}) == len(REQUIREMENTS)
    assert all(prop.requirement is REQUIREMENTS[name] for name, prop in PROPERTIES.items())


@pytest.mark.parametrize("prop", PROPERTIES.values(), ids=PROPERTIES)
def test_properties_are_documented(prop):
    """Every property states its claim, draws something if it judges, and has a share up to one."""
    assert prop.claim.__doc__
    assert bool(prop.strategies) == (prop.requirement.level is not Level.MAY)
    assert 0 < prop.share <= 1
    assert prop.source.startswith("@requirement(")


def test_duplicates_are_refused():
    """A second property for a requirement is refused by name."""
    wanted = "BN-EMA-1 is judged by running_mean_keeps_share_momentum_of_itself already"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        requirement("BN-EMA-1")


def test_unknown_ids_are_refused():
    """A property for an id outside the table is refused; the message says what to do."""
    wanted = "'BN-EMA-99' is not in the requirement table: add the row first"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        requirement("BN-EMA-99")


def test_no_pattern_selects_everything():
    """Without a pattern, or with an empty one, all is chosen that is required."""
    wanted = [name for name, row in REQUIREMENTS.items() if row.level is not Level.MAY]
    assert ids() == ids("") == ids(" , ") == wanted


def test_what_may_be_is_chosen_by_its_level_or_id():
    """No family and no glob adds a MAY row to what is judged, unless all rows are to be shown."""
    assert ids("BN-EMA-9,eps-1") == ["BN-EMA-9", "BN-EPS-1"]
    assert "BN-EMA-9" not in ids("EMA", "*", "BN-EMA-[89]")
    assert ids("EMA,EPS", level=Level.MAY) == ["BN-EMA-9", "BN-EPS-2"]
    shown = [row.id for row in select(REQUIREMENTS, ["EPS"], with_may=True)]
    assert shown == ["BN-EPS-1", "BN-EPS-2"]
    assert select(REQUIREMENTS, with_may=True) == tuple(REQUIREMENTS.values())


@pytest.mark.parametrize("pattern", ["BN-EMA-1", "bn-ema-1", "EMA-1", "ema-1", " EMA-1 "])
def test_an_id_selects_itself(pattern: str):
    """An id selects one row, in any case, with or without BN."""
    assert ids(pattern) == ["BN-EMA-1"]


@pytest.mark.parametrize("pattern", ["EMA", "ema", "BN-EMA", "EMA-*", "BN-EMA-?"])
def test_a_family_selects_its_rows(pattern: str):
    """A family selects exactly its rows."""
    assert ids(pattern) == [f"BN-EMA-{number}" for number in range(1, 9)]


def test_globs_select_by_id():
    """A glob is matched against whole ids."""
    assert ids("BN-*-1") == ids("*-1") == [f"BN-{family}-1" for family in families()]
    assert "BN-TRAIN-10" in ids("TRAIN-1*")
    assert "BN-TRAIN-10" not in ids("TRAIN-1")


def test_patterns_add_up_in_the_order_of_the_table():
    """Commas and repetition mean or, and the requested order does not matter."""
    assert ids("EMA-1,INIT-2") == ids("EMA-1", "INIT-2,EMA-1") == ["BN-INIT-2", "BN-EMA-1"]


def test_levels_select():
    """A level keeps its own rows; all levels together are the whole table."""
    must, should = ids(level=Level.MUST), ids(level=Level.SHOULD)
    assert "BN-STATE-8" in should
    may = ids(level=Level.MAY)
    assert sorted(must + should + may) == sorted(REQUIREMENTS)
    assert ids("EMA", level=Level.SHOULD) == ["BN-EMA-8"]


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("BN-EMA-11", "Did you mean BN-EMA-1 or BN-REMAT-1 or BN-EMA-9?"),
        ("EMMA", "Did you mean EMA or REMAT or VMAP?"),
        ("§§§", "`conformance list` shows all."),
    ],
)
def test_unknown_patterns_are_refused(pattern: str, hint: str):
    """A pattern that matches nothing is refused, with the expected form and close matches."""
    with pytest.raises(UnknownRequirement) as refused:
        select(REQUIREMENTS, ["EMA-1", pattern])
    assert str(refused.value) == (
        f"no requirement matches {pattern!r}: expected an id such as BN-EMA-1, a family such as "
        f"EMA, or a glob such as 'BN-*-1'. {hint}"
    )
