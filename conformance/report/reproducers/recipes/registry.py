"""The registry of recipes by requirement."""

from __future__ import annotations

from collections.abc import Callable

Recipe = Callable[..., None]
"""A function of a script, and of the named arguments of the requirement's claim."""

RECIPES: dict[str, Recipe] = {}
"""Every recipe by requirement id; filled when the package ``recipes`` is imported."""


def recipe(*identities: str) -> Callable[[Recipe], Recipe]:
    """Register the decorated function as the recipe of some requirements."""

    def register(written: Recipe) -> Recipe:
        for identity in identities:
            if identity in RECIPES:
                msg = f"{identity} has a recipe already: {RECIPES[identity].__name__}"
                raise ValueError(msg)
            RECIPES[identity] = written
        return written

    return register
