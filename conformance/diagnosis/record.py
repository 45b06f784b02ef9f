"""The record of a diagnosis."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The most likely mistake of an implementation.

    Attributes:
        kind: "alternative" if a known mistake reproduces every number, "observed" if an observed
            fact suffices, "none" if nothing can be said.
        id: The id of the alternative, with its scope after an @, or of the fact.
        sentence: What is wrong.
        formula: What the layer computes.
        figure: The evidence, as a sentence.
        remedy: What to do.
        convention: Where it is legitimate, and how to declare or convert it.
        constants: The constants that were recovered from the numbers.
        explained: How many calls contradict the reference model and are reproduced.
        deviating: How many calls contradict the reference model.
        calls: How many calls were made.
        also: The sentences of mistakes that fit as well as the first.
    """

    kind: Literal["alternative", "observed", "none"]
    id: str = ""
    sentence: str = ""
    formula: str = ""
    figure: str = ""
    remedy: str = ""
    convention: str = ""
    constants: tuple[float, ...] = ()
    explained: int = 0
    deviating: int = 0
    calls: int = 0
    also: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; empty ones are left out."""
        found = {name: value for name, value in asdict(self).items() if value or name == "kind"}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}
