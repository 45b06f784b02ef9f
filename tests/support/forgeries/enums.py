"""Renaming, exchanging and redefining the members of enums."""

from __future__ import annotations

import enum

from conformance.requirements import Capability, Level
from conformance.requirements.finding import FindingKind
from conformance.requirements.verdict import Outcome
from support.forgeries import submission
from support.forgeries.layers import Always42, EpsOutside, Right, SwappedMomentum


@submission(Always42)
def renamed_outcome():
    """Gives VIOLATES the value of CONFORMS."""
    Outcome.VIOLATES._value_ = "conforms"


@submission(EpsOutside)
def exchanged_outcomes():
    """Exchanges the members of the class, their names and their values."""
    type.__setattr__(Outcome, "VIOLATES", Outcome.CONFORMS)
    Outcome._member_map_["VIOLATES"] = Outcome.CONFORMS
    Outcome._value2member_map_["violates"] = Outcome.CONFORMS


@submission(SwappedMomentum)
def generous_outcomes():
    """Lets no outcome be bad, and every outcome read as one that is good."""
    Outcome.bad = property(lambda self: False)
    Outcome.value = property(lambda self: "conforms")


@submission(Always42)
def renamed_level():
    """Gives MUST the value of SHOULD."""
    Level.MUST._value_ = "should"
    Level._value2member_map_["must"] = Level.SHOULD


@submission(Always42)
def renamed_kinds():
    """Makes all kinds of findings one that cannot be read back."""
    for kind in FindingKind:
        kind._value_ = "fine"


@submission(Always42)
def every_capability_is_the_same():
    """Makes all capabilities equal to none that is offered."""
    Capability.__eq__ = lambda self, other: False
    Capability.__hash__ = object.__hash__


@submission(Always42)
def every_value_is_conforming():
    """Replaces the value of every member of every enum, in the library itself."""
    right = enum.Enum.__dict__["value"]

    def value(self):
        return "conforms" if isinstance(self, Outcome) else right.__get__(self)

    enum.Enum.value = enum.property(value)
    for member in Outcome:
        member._value_ = "conforms"


@submission(Right)
def neighbour_describes_enums():
    """Right: gives all enums a method, and their members another text."""
    enum.Enum.describe = lambda self: self.name.lower()
    enum.Enum.__str__ = lambda self: f"<{self.name}>"
